package io.gatun.tools.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.attention.Team;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Fingerprint;
import io.gatun.store.StoreOptions;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.cli.UserFolders;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import io.gatun.tools.model.WeightForm;
import io.gatun.tools.recall.Recall;
import io.gatun.tools.sampling.Sampler;
import io.gatun.tools.text.TextStream;
import java.io.PrintWriter;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * One run: opens model and conversation, brings the cache to the end of what is to be read, and
 * continues it.
 *
 * <p>Design note: what was generated before counts as part of the conversation. So a run that was
 * killed and is started again goes on where it was, and so does a run that ended.
 */
final class RunSession {
  private static final int DEFAULT_COMMIT_EVERY = 256;

  private final RunRequest request;
  private final PrintWriter out;
  private final PrintWriter err;

  // What was done, for the report.
  private long contextTokens;
  private long reusedTokens;
  private long prefillTokens;
  private double prefillSeconds;
  private int generated;
  private double decodeSeconds;
  private double weightsSeconds;
  private double attentionSeconds;
  private double otherSeconds;
  private long samplingNanos;
  private final StringBuilder text = new StringBuilder();

  RunSession(RunRequest request, PrintWriter out, PrintWriter err) {
    this.request = request;
    this.out = out;
    this.err = err;
  }

  /** Does it; returns the exit code. */
  int run() {
    try (StopSignal stop = new StopSignal(this::announceStop);
        Team team = Team.of(request.threads());
        Model model = Model.load(modelFolder(), request.weights(), request.ropeLength(), team)) {
      Prompt prompt = Prompt.read(request);
      StoreOptions options = StoreOptions.defaults().withCommitEvery(commitEvery());
      KvType type = request.kvType() == null ? model.kvType() : request.kvType();
      KvLayout layout = KvLayout.of(model.kvShape(), type);
      String id = request.conversation() == null ? defaultId(type) : request.conversation();
      try (ConversationStore store = ConversationStore.open(request.store(), options)) {
        boolean isNew = !store.exists(id);
        Alignment alignment = new Alignment(prompt, model.tokenizer(), id, request.store(), err);
        // A new conversation begins with what other conversations have read of the same text.
        int[] beginning = isNew ? alignment.beginning() : new int[0];
        Fingerprint fingerprint = model.fingerprint(team);
        try {
          converse(store, id, fingerprint, layout, beginning, alignment, model, team, stop);
        } catch (RuntimeException | Error e) {
          if (isNew && generated == 0) {
            NewConversations.removeIfEmpty(store, id, e);
          }
          throw e;
        }
      }
      return stop.stopped() ? 130 : 0;
    }
  }

  private void converse(
      ConversationStore store,
      String id,
      Fingerprint fingerprint,
      KvLayout layout,
      int[] beginning,
      Alignment alignment,
      Model model,
      Team team,
      StopSignal stop) {
    long from = System.nanoTime();
    try (Conversation conversation = store.openOrCreate(id, fingerprint, layout, beginning)) {
      double openMillis = (System.nanoTime() - from) / 1e6;
      conversation.report().findings().forEach(finding -> err.println("gatun: " + finding));
      decode(conversation, model, team, alignment, stop);
      conversation.commit();
      if (!stop.stopped()) {
        alignment.finished();
      }
      report(conversation, model.weightLabel(), openMillis);
    }
  }

  private void announceStop() {
    err.println();
    err.println("gatun: stopping; what was read and generated is committed first");
  }

  private Path modelFolder() {
    return request.model() == null
        ? Recall.ensure(UserFolders.data().resolve("models").resolve("recall"))
        : request.model();
  }

  private int commitEvery() {
    return request.commitEvery() == null ? DEFAULT_COMMIT_EVERY : request.commitEvery();
  }

  /**
   * One conversation for each model, form of its weights and element type, and one for its chat, so
   * that none is refused by default.
   */
  private String defaultId(KvType type) {
    String name = request.model() == null ? "recall" : name(request.model());
    String plain = name.replaceAll("[^A-Za-z0-9_-]", "-");
    String rounded = request.weights().form() == WeightForm.Q8 ? "-q8-weights" : "";
    String suffix = (request.chat() ? "-chat" : "") + rounded + "-" + type.label();
    return plain.substring(0, Math.min(plain.length(), 64 - suffix.length())) + suffix;
  }

  private static String name(Path folder) {
    Path last = folder.toAbsolutePath().normalize().getFileName();
    return last == null ? "model" : last.toString();
  }

  private void decode(
      Conversation conversation, Model model, Team team, Alignment alignment, StopSignal stop) {
    try (Decoder decoder = new Decoder(model, conversation.cache(), team)) {
      decoder.beyondTrainedLength(request.beyondTrainedLength());
      alignment.align(conversation, decoder::checkLength);
      contextTokens = conversation.tokens().count();
      reusedTokens = conversation.cache().length();
      prefillTokens = contextTokens - reusedTokens;
      MemorySegment logits = prefill(conversation, decoder, stop);
      if (!stop.stopped()) {
        generate(conversation, decoder, logits, stop);
      }
    }
  }

  /** Computes the K/V that the cache lacks; returns the logits of the last token. */
  private MemorySegment prefill(Conversation conversation, Decoder decoder, StopSignal stop) {
    int done = Math.toIntExact(conversation.cache().length());
    int end = conversation.tokens().count();
    if (done == end) {
      return decoder.again(conversation.tokens().get(end - 1));
    }
    int[] batch = new int[Math.min(Decoder.DEFAULT_BATCH, commitEvery())];
    MemorySegment logits = MemorySegment.NULL;
    long from = System.nanoTime();
    try (Progress progress = Progress.start("reading", "tokens", end - done)) {
      while (done < end && !stop.stopped()) {
        int count = Math.min(batch.length, end - done);
        conversation.tokens().copy(done, batch, 0, count);
        logits = decoder.prefill(batch, 0, count);
        done += count;
        progress.by(count);
        commitIfDue(conversation);
      }
    }
    prefillSeconds = (System.nanoTime() - from) / 1e9;
    prefillTokens -= end - done;
    return logits;
  }

  private void generate(
      Conversation conversation, Decoder decoder, MemorySegment first, StopSignal stop) {
    Model model = decoder.model();
    Sampler sampler = new Sampler(request.sampling(), model.config().vocabSize());
    TextStream stream = model.tokenizer().stream();
    // What is shown continues the text of the conversation, in the midst of a character too.
    stream.follow(conversation.tokens().toArray());
    // A chat's answer ends with the tokenizer's end token even where the model's files forget it.
    int end = request.chat() ? model.tokenizer().endId() : -1;
    MemorySegment logits = first;
    sayWhereItEnds(decoder);
    decoder.timings().reset();
    long from = System.nanoTime();
    while (generated < request.maxTokens() && !stop.stopped()) {
      int position = conversation.tokens().count();
      if (!decoder.allows(position + 1L)) {
        show(stream.end());
        out.println();
        conversation.commit();
        decoder.checkLength(position + 1L);
      }
      long sampling = System.nanoTime();
      int token = sampler.sample(logits, position);
      samplingNanos += System.nanoTime() - sampling;
      if (model.isStop(token) || token == end) {
        // Nothing completes a character any more; at a limit, the next run does.
        show(stream.end());
        break;
      }
      conversation.accept(token);
      show(stream.next(token));
      logits = decoder.decode(token);
      generated++;
      commitIfDue(conversation);
    }
    decodeSeconds = (System.nanoTime() - from) / 1e9;
    weightsSeconds = decoder.timings().weightsNanos() / 1e9;
    attentionSeconds = decoder.timings().attentionNanos() / 1e9;
    otherSeconds = decoder.timings().otherNanos() / 1e9;
    if (generated > 0) {
      out.println();
    }
  }

  private void sayWhereItEnds(Decoder decoder) {
    long limit = decoder.model().config().positions().tokens();
    if (!decoder.allows(contextTokens + request.maxTokens())) {
      err.printf(
          "gatun: the model was trained for %,d tokens, of which %,d are left for the answer%n",
          limit, Math.max(0, limit - contextTokens));
    }
  }

  private void show(String piece) {
    text.append(piece);
    out.print(piece);
    out.flush();
  }

  private void commitIfDue(Conversation conversation) {
    if (conversation.commitIfDue() && request.commitEvery() != null) {
      err.println("committed " + conversation.committedTokens());
      err.flush();
    }
  }

  private void report(Conversation conversation, String weights, double openMillis) {
    long perToken = conversation.layout().bytesPerToken();
    RunReport report =
        new RunReport(
            request.model() == null ? "recall" : name(request.model()),
            weights,
            conversation.id(),
            conversation.layout().keyType().label(),
            contextTokens,
            reusedTokens,
            prefillTokens,
            generated,
            text.toString(),
            openMillis,
            prefillSeconds,
            generated == 0 ? 0 : generated / decodeSeconds,
            weightsSeconds,
            attentionSeconds,
            otherSeconds,
            samplingNanos / 1e9,
            Math.multiplyExact(conversation.cache().length(), perToken),
            perToken,
            conversation.cache().blockBytes(),
            ProcessMemory.heapMaxBytes(),
            ProcessMemory.heapUsedBytes(),
            ProcessMemory.peakRssBytes());
    if (request.json()) {
      try {
        out.println(new ObjectMapper().writeValueAsString(report));
      } catch (JsonProcessingException e) {
        throw new IllegalStateException("a record of numbers and texts is always JSON", e);
      }
    } else {
      err.println();
      err.print(report.describe());
      err.flush();
    }
  }
}
