package io.gatun.bench.work;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvShape;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The heads of one attention layer, written {@code 32/8/128}.
 *
 * @param numHeads query heads, a multiple of {@code numKvHeads}
 * @param numKvHeads key/value heads
 * @param headDim values of a key row, and of a value row
 */
public record Heads(int numHeads, int numKvHeads, int headDim) {
  private static final Pattern FORM = Pattern.compile("(\\d{1,5})/(\\d{1,5})(?:/(\\d{1,5}))?");

  /** Checks the numbers. */
  public Heads {
    if (numHeads < 1 || numKvHeads < 1 || headDim < 1 || numHeads % numKvHeads != 0) {
      throw new GatunException(
          "%d query heads over %d KV heads of %d dims cannot be: the query heads must be a multiple"
                  .formatted(numHeads, numKvHeads, headDim)
              + " of the KV heads, and no number 0");
    }
  }

  /**
   * Reads {@code numHeads/numKvHeads/headDim}; without the last one it is 128.
   *
   * @throws GatunException if it is not of this form
   */
  public static Heads parse(String text) {
    Matcher matcher = FORM.matcher(text.strip());
    if (!matcher.matches()) {
      throw new GatunException(
          "'%s' is not a shape; write numHeads/numKvHeads/headDim, for instance 32/8/128"
              .formatted(text));
    }
    int dim = matcher.group(3) == null ? 128 : Integer.parseInt(matcher.group(3));
    return new Heads(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)), dim);
  }

  /** Query heads of one KV head. */
  public int group() {
    return numHeads / numKvHeads;
  }

  /** The cache shape of so many layers. */
  public KvShape shape(int layers) {
    return new KvShape(layers, numKvHeads, headDim, headDim);
  }

  @Override
  public String toString() {
    return "%d/%d/%d".formatted(numHeads, numKvHeads, headDim);
  }
}
