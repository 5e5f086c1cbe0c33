package io.gatun.tools.plan;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.sun.management.OperatingSystemMXBean;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.config.ModelCache;
import io.gatun.tools.config.ModelCacheReader;
import io.gatun.tools.config.ModelCatalog;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gatun plan}: what a context costs. */
@Command(
    name = "plan",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "What a context costs: the bytes of its K/V cache, as MHA and MQA too, the longest context"
            + " within a budget, and the least time that attention takes in a decode step.",
    footer = {
      "",
      "Tokens: 128k is 128 x 1,024 = 131,072; 1m is 1,048,576. Bytes: GiB (or G) counts in powers"
          + " of 1,024, GB in powers of 1,000.",
      "The arithmetic, and where a figure that is often taught differs from it: tools/PLAN.md.",
      "",
      "  gatun plan --model Llama-3.1-8B --context 128k",
      "  gatun plan --config some-model/config.json --budget 24GiB",
      "  gatun plan --layers 32 --heads 8 --head-dim 64 --kv-type f32 --context 1000",
      "  gatun plan --compare Llama-2-7B,Llama-3.1-8B,DeepSeek-V3 --context 32k"
    })
public final class PlanCommand implements Callable<Integer> {
  /** Bytes per second below which a bandwidth is taken for a slip. */
  private static final long SLOWEST = 1_000_000;

  /** Context where neither the user nor the model says one. */
  private static final long DEFAULT_CONTEXT = 131_072;

  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      split = ",",
      description = "A published model by name; --list names them.")
  private List<String> models = new ArrayList<>();

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "Any Hugging Face config.json, or the folder with it.")
  private List<Path> configs = new ArrayList<>();

  @Option(names = "--layers", paramLabel = "N", description = "Layers, for a model of your own.")
  private Integer layers;

  @Option(names = "--heads", paramLabel = "N", description = "Query heads of a layer.")
  private Integer heads;

  @Option(
      names = "--kv-heads",
      paramLabel = "N",
      description =
          "KV heads of a layer (default: as many as --heads). With --model or --config:"
              + " instead of the model's own.")
  private Integer kvHeads;

  @Option(names = "--head-dim", paramLabel = "N", description = "Width of a head.")
  private Integer headDim;

  @Option(
      names = "--window",
      paramLabel = "TOKENS",
      description = "Sliding window of every layer; none: leave the model's windows aside.")
  private String window;

  @Option(
      names = "--context",
      paramLabel = "TOKENS",
      description =
          "Tokens of a sequence (default: what the model was made for, else 128k; with"
              + " --compare 128k).")
  private String context;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "1",
      description = "Sequences at once (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(
      names = "--kv-type",
      paramLabel = "TYPE",
      defaultValue = "bf16",
      description =
          "Element type of keys and values: f32, f16, bf16, q8 or q4, scales counted"
              + " (default: ${DEFAULT-VALUE}).")
  private String kvType;

  @Option(
      names = "--budget",
      paramLabel = "BYTES",
      description = "Bytes that the cache may take (default: the memory of this machine).")
  private String budget;

  @Option(
      names = "--bandwidth",
      paramLabel = "RATE",
      defaultValue = "measure",
      description =
          "Bytes read per second, such as 40GB/s; measure: find out in a second"
              + " (default); none: leave out the time.")
  private String bandwidth;

  @Option(
      names = "--compare",
      paramLabel = "NAME",
      split = ",",
      arity = "0..*",
      description =
          "Set these models, and those of --model and --config, side by side; all:"
              + " every known one.")
  private List<String> compare;

  @Option(names = "--json", description = "Print a JSON object, with --compare an array of them.")
  private boolean json;

  @Option(names = "--list", description = "Name the models that are known, and stop.")
  private boolean list;

  /** Prints the plan. */
  @Override
  public Integer call() {
    if (list) {
      print(PlanText.list(ModelCatalog.all()));
      return 0;
    }
    if (batch < 1) {
      throw usageError("--batch is %d, not at least 1".formatted(batch));
    }
    List<ModelCache> specs = specs();
    boolean sideBySide = compare != null || specs.size() > 1;
    KvType type = usage(() -> KvType.ofLabel(kvType));
    long limit =
        budget == null
            ? memoryOfThisMachine()
            : usage(() -> positive("--budget", Sizes.parse(budget)));
    Long asked = context == null ? null : usage(() -> Amounts.tokens(context));
    double rate = bandwidth();
    List<Plan> plans = new ArrayList<>();
    for (ModelCache model : specs) {
      long own = sideBySide || model.contextLimit() == 0 ? DEFAULT_CONTEXT : model.contextLimit();
      long tokens = asked == null ? own : asked;
      Plan plan = new Plan(model, type, tokens, batch, limit, rate);
      // Numbers that make no cache, or one of 2^63 bytes, are a wrong argument.
      usage(() -> plan.mhaBytes() + plan.gatunBytes());
      plans.add(plan);
    }
    if (json) {
      print(toJson(plans, sideBySide) + "\n");
    } else if (sideBySide) {
      print(PlanText.compare(plans));
    } else {
      String name = budget == null ? "this machine's memory" : "the budget";
      print(PlanText.one(plans.getFirst(), name));
    }
    return 0;
  }

  private List<ModelCache> specs() {
    List<ModelCache> specs = new ArrayList<>();
    for (String name : models) {
      specs.add(changed(usage(() -> ModelCache.of(ModelCatalog.find(name)))));
    }
    for (Path config : configs) {
      specs.add(changed(ModelCacheReader.read(config)));
    }
    if (compare != null) {
      for (String name : compare) {
        if (name.equalsIgnoreCase("all")) {
          ModelCatalog.all().forEach(m -> specs.add(changed(ModelCache.of(m))));
        } else {
          specs.add(changed(usage(() -> ModelCache.of(ModelCatalog.find(name)))));
        }
      }
    }
    if (layers != null || specs.isEmpty()) {
      specs.addFirst(ownModel());
    } else if (heads != null || headDim != null) {
      throw usageError(
          "--heads and --head-dim describe a model of your own; give --layers as well");
    }
    return specs;
  }

  private ModelCache ownModel() {
    if (layers == null && heads == null && headDim == null) {
      throw usageError(
          "which model? Give --model NAME, --config FILE, or --layers, --heads and --head-dim"
              + " (--list names the known models)");
    }
    if (layers == null || heads == null || headDim == null) {
      throw usageError("a model of your own takes --layers, --heads and --head-dim");
    }
    int kv = kvHeads == null ? heads : kvHeads;
    return usage(() ->
        withWindow(
            ModelCache.of(
                new AttentionShape(
                    "your model",
                    heads,
                    kv,
                    headDim,
                    headDim,
                    null,
                    AttentionShape.fullAttention(Math.max(0, layers)),
                    0,
                    0,
                    AttentionShape.Source.GIVEN))));
  }

  /** What the command line changes of a known model. */
  private ModelCache changed(ModelCache model) {
    return usage(() -> withWindow(kvHeads == null ? model : model.withKvHeads(kvHeads)));
  }

  private ModelCache withWindow(ModelCache model) {
    if (window == null) {
      return model;
    }
    return window.equalsIgnoreCase("none")
        ? model.withoutWindows()
        : model.withWindow(Amounts.tokens(window));
  }

  private double bandwidth() {
    return switch (bandwidth) {
      case "none" -> 0;
      case "measure" -> ReadBandwidth.measure();
      default -> usage(() -> plausible(Sizes.parse(bandwidth.replaceFirst("/s$", ""))));
    };
  }

  /** A number without its unit is the likely slip: no memory is that slow. */
  private double plausible(long bytesPerSecond) {
    if (bytesPerSecond < SLOWEST) {
      throw new GatunException(
          "--bandwidth %s is %d bytes per second, less than any memory reads: give a unit, such as"
                  .formatted(bandwidth, bytesPerSecond)
              + " 40GB/s");
    }
    return bytesPerSecond;
  }

  private static long positive(String option, long value) {
    if (value < 1) {
      throw new GatunException("%s is %d, not at least 1".formatted(option, value));
    }
    return value;
  }

  private static long memoryOfThisMachine() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
  }

  private static String toJson(List<Plan> plans, boolean array) {
    JsonMapper mapper = new JsonMapper();
    ArrayNode all = mapper.createArrayNode();
    plans.forEach(plan -> all.add(plan.toJson()));
    return (array ? all : all.get(0)).toPrettyString();
  }

  private void print(String text) {
    spec.commandLine().getOut().print(text);
    spec.commandLine().getOut().flush();
  }

  /** A wrong argument is a usage error: its message, how to call the command, exit code 2. */
  private <T> T usage(Supplier<T> parse) {
    try {
      return parse.get();
    } catch (GatunException e) {
      throw usageError(e.getMessage());
    }
  }

  private ParameterException usageError(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
