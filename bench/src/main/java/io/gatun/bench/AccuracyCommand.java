package io.gatun.bench;

import io.gatun.attention.Team;
import io.gatun.bench.accuracy.AttentionError;
import io.gatun.bench.accuracy.LogitsError;
import io.gatun.bench.show.TextTable;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.Heads;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.model.Model;
import io.gatun.tools.model.RandomCheckpoint;
import io.gatun.tools.recall.Recall;
import io.gatun.tools.safetensors.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code gatun bench accuracy}. */
@Command(
    name = "accuracy",
    mixinStandardHelpOptions = true,
    description = {
      "What each element type costs in accuracy: the error of attention's output against the"
          + " formula in double, and the change of a model's logits against an F32 cache.",
      "",
      "Attention: gaussian K and V, and the same with 4 channels 20 times as large. Models: the"
          + " built-in one, copying a passage, and one of random weights; or your own.",
      ""
    })
final class AccuracyCommand implements Callable<Integer> {
  private static final int RANDOM_VOCAB = 2_000;

  @Option(
      names = "--heads",
      paramLabel = "H/KV/DIM",
      description = "Query heads / KV heads / head dims of the attention (default: 32/8/128).")
  private String heads = "32/8/128";

  @Option(
      names = "--context",
      paramLabel = "TOKENS",
      description = "Tokens that attention reads, at least 16 (default: 4,096).")
  private int context = 4096;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Tokens that each model decodes, 1 to 2,000 (default: 256).")
  private int tokens = 256;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "Only this model, on the bundled text as its tokenizer splits it.")
  private Path model;

  @Override
  public Integer call() throws IOException {
    if (context < 16 || tokens < 1 || tokens > 2_000) {
      throw new GatunException(
          "--context %d and --tokens %d: at least 16, and 1 to 2,000".formatted(context, tokens));
    }
    System.out.println(Machine.here().line());
    try (Team team = Team.of(Runtime.getRuntime().availableProcessors())) {
      attention(team);
      if (model == null) {
        builtIn(team);
      } else {
        try (Model own = Model.load(model)) {
          int[] ids = own.tokenizer().encode(Recall.text(), true);
          int count = Math.min(ids.length, 1_000 + tokens);
          logits(model.toString(), own, IntStream.of(ids).limit(count).toArray(), team);
        }
      }
    }
    return 0;
  }

  private void attention(Team team) {
    Heads shape = Heads.parse(heads);
    TextTable table = new TextTable("type", "bytes/value", "gaussian", "4 channels x 20");
    try (AttentionError gaussian = new AttentionError(shape, context, false, 1, team);
        AttentionError outliers = new AttentionError(shape, context, true, 2, team)) {
      for (KvType type : KvType.values()) {
        int dim = shape.headDim();
        double bytes = (type.rowBytes(dim) + type.scales(dim) * KvType.SCALE_BYTES) / (double) dim;
        table.row(
            type.label(),
            "%.4f".formatted(bytes),
            "%.1e".formatted(gaussian.of(type)),
            "%.1e".formatted(outliers.of(type)));
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%nRelative error of attention's output, %s, %,d tokens%n%s",
        heads,
        context,
        table.text());
  }

  private void builtIn(Team team) throws IOException {
    Path folder = Files.createTempDirectory("gatun-accuracy");
    try {
      Path recall = folder.resolve("recall");
      Recall.write(recall);
      try (Model own = Model.load(recall)) {
        // 4,000 bytes of text, and once more what stands at 500: the model copies from there on.
        String text = Recall.text();
        String given = text.substring(0, 4_000) + text.substring(500, 1_000 + tokens);
        logits("recall (built in)", own, own.tokenizer().encode(given, true), team);
      }
      Path random = folder.resolve("random");
      RandomCheckpoint.write(
          random,
          randomConfig(),
          TensorType.F32,
          RandomCheckpoint.DEFAULT_SHARD_BYTES,
          1,
          written -> {});
      try (Model own = Model.load(random)) {
        int[] ids = new Random(1).ints(1_000 + tokens, 0, RANDOM_VOCAB).toArray();
        logits("random weights, 4 layers of 8/2/128", own, ids, team);
      }
    } finally {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static Map<String, Object> randomConfig() {
    return Map.ofEntries(
        Map.entry("model_type", "llama"),
        Map.entry("architectures", List.of("LlamaForCausalLM")),
        Map.entry("hidden_size", 1024),
        Map.entry("intermediate_size", 2048),
        Map.entry("num_hidden_layers", 4),
        Map.entry("num_attention_heads", 8),
        Map.entry("num_key_value_heads", 2),
        Map.entry("head_dim", 128),
        Map.entry("vocab_size", RANDOM_VOCAB),
        Map.entry("hidden_act", "silu"),
        Map.entry("rms_norm_eps", 1e-5),
        Map.entry("rope_theta", 10_000.0),
        Map.entry("max_position_embeddings", 4096));
  }

  /** All but the last {@code tokens} ids are prefilled. */
  private void logits(String name, Model own, int[] ids, Team team) {
    int decoded = Math.min(tokens, ids.length - 1);
    TextTable table = new TextTable("type", "mean KL", "largest KL", "same top token");
    try (LogitsError error = new LogitsError(own, ids, ids.length - decoded, team)) {
      for (KvType type : KvType.values()) {
        if (type != KvType.F32) {
          LogitsError.Change change = error.of(type);
          table.row(
              type.label(),
              "%.1e".formatted(change.meanKl()),
              "%.1e".formatted(change.maxKl()),
              "%.2f %%".formatted(100 * change.sameTop()));
        }
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%nLogits against an F32 cache: %s, %,d tokens decoded behind %,d%n%s",
        name,
        decoded,
        ids.length - decoded,
        table.text());
  }
}
