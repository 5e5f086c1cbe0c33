package io.gatun.tools.run;

import io.gatun.tools.cli.Sizes;
import java.util.Locale;

/**
 * What one run did, as {@code --json} prints it.
 *
 * @param weights type of the weights
 * @param contextTokens tokens that the model saw before it generated the first one
 * @param reusedTokens of these, tokens whose K/V lay in the store already
 * @param prefillTokens of these, tokens that were read now
 * @param generatedTokens tokens that this run added
 * @param text what they say
 * @param openMillis time from asking for the conversation until attention could run on it
 * @param kvBytes K/V of all tokens at the end, outside the heap
 * @param kvFileBytes bytes of the block files that hold them
 * @param weightsSeconds time of generating in products of weights and activations
 * @param attentionSeconds time of generating in attention over the cache
 * @param otherSeconds time of generating in norms, rotations and appending to the cache
 * @param samplingSeconds time of generating in choosing tokens
 */
record RunReport(
    String model,
    String weights,
    String conversation,
    String kvType,
    long contextTokens,
    long reusedTokens,
    long prefillTokens,
    int generatedTokens,
    String text,
    double openMillis,
    double prefillSeconds,
    double decodeTokensPerSecond,
    double weightsSeconds,
    double attentionSeconds,
    double otherSeconds,
    double samplingSeconds,
    long kvBytes,
    long kvBytesPerToken,
    long kvFileBytes,
    long heapMaxBytes,
    long heapUsedBytes,
    long peakRssBytes) {

  /** The same for a person. */
  String describe() {
    StringBuilder text = new StringBuilder();
    line(
        text,
        "conversation",
        "%s, model %s with %s weights, K/V %s".formatted(conversation, model, weights, kvType));
    line(
        text,
        "context",
        "%,d tokens: %,d reused from the store, %,d prefilled"
            .formatted(contextTokens, reusedTokens, prefillTokens));
    line(text, "opened in", "%.1f ms".formatted(openMillis));
    if (prefillTokens > 0) {
      line(
          text,
          "prefill",
          "%.2f s, %,.0f tokens/s".formatted(prefillSeconds, prefillTokens / prefillSeconds));
    }
    if (generatedTokens > 0) {
      line(
          text,
          "generated",
          "%,d tokens, %,.1f tokens/s (weights %.2f s, attention %.2f s, other %.2f s, sampling %.2f s)"
              .formatted(
                  generatedTokens,
                  decodeTokensPerSecond,
                  weightsSeconds,
                  attentionSeconds,
                  otherSeconds,
                  samplingSeconds));
    }
    line(
        text,
        "K/V",
        "%s outside the heap (%s a token), in %s of files"
            .formatted(
                Sizes.human(kvBytes), Sizes.human(kvBytesPerToken), Sizes.human(kvFileBytes)));
    line(
        text,
        "heap",
        "%s used of at most %s; peak resident memory %s"
            .formatted(
                Sizes.human(heapUsedBytes), Sizes.human(heapMaxBytes), Sizes.human(peakRssBytes)));
    return text.toString();
  }

  private static void line(StringBuilder text, String name, String what) {
    text.append(String.format(Locale.ROOT, "  %-13s%s%n", name, what));
  }
}
