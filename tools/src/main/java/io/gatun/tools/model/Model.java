package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.store.Fingerprint;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ModelConfigReader;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.text.Tokenizer;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A model as Hugging Face offers it: a folder with {@code config.json}, safetensors files and {@code
 * tokenizer.json}. Its weights are mapped, never read to the heap. Any thread; several decoders may
 * share one model.
 */
public final class Model implements AutoCloseable {
  private final Path folder;
  private final ModelConfig config;
  private final Checkpoint checkpoint;
  private final Arena arena;
  private final Weights weights;
  private final WeightForm form;
  private final List<String> remarks;
  private final int[] stopIds;
  private Tokenizer tokenizer;

  private Model(
      Path folder,
      ModelConfig config,
      Checkpoint checkpoint,
      Arena arena,
      Weights weights,
      WeightForm form,
      List<String> remarks) {
    this.folder = folder;
    this.config = config;
    this.checkpoint = checkpoint;
    this.arena = arena;
    this.weights = weights;
    this.form = form;
    this.remarks = remarks;
    this.stopIds = config.eosIds().stream().mapToInt(Integer::intValue).toArray();
  }

  /**
   * Opens a model's folder.
   *
   * @throws io.gatun.cache.GatunException if a file is missing or damaged, or the model is not one
   *     that Gatun runs
   */
  public static Model load(Path folder) {
    return load(folder, 0);
  }

  /**
   * Opens a model's folder, with angles for long texts where they depend on the length.
   *
   * @param ropeLength tokens that the angles of rope types {@code dynamic} and {@code longrope} are
   *     made for; 0 for the least
   * @throws io.gatun.cache.GatunException as {@link #load(Path)}
   */
  public static Model load(Path folder, long ropeLength) {
    return load(folder, ropeLength, (checkpoint, weights, arena) -> weights, WeightForm.MODEL);
  }

  /**
   * Opens a model's folder and takes its weights in a form of one's choice. Weights that are to be
   * rounded are looked for in a file and rounded if there is none, which takes seconds for each
   * billion of them.
   *
   * @param team threads that round and check
   * @throws io.gatun.cache.GatunException as {@link #load(Path)}, and if rounded weights cannot be
   *     written or read
   */
  public static Model load(Path folder, WeightOptions options, Team team) {
    return load(folder, options, 0, team);
  }

  /**
   * The same with angles for long texts where they depend on the length.
   *
   * @param ropeLength as for {@link #load(Path, long)}
   */
  public static Model load(Path folder, WeightOptions options, long ropeLength, Team team) {
    Model model =
        options.form() == WeightForm.MODEL
            ? load(folder, ropeLength)
            : load(
                folder,
                ropeLength,
                (checkpoint, weights, arena) ->
                    rounded(folder, checkpoint, weights, options, team, arena),
                options.form());
    model.remarks.forEach(options.messages());
    return model;
  }

  private static Weights rounded(
      Path folder,
      Checkpoint checkpoint,
      Weights weights,
      WeightOptions options,
      Team team,
      Arena arena) {
    if (weights.packsExperts()) {
      throw new GatunException(
          "the experts of %s lie with their inputs outermost, and are computed with as they are; leave --weights %s out"
              .formatted(folder, options.form().name().toLowerCase(Locale.ROOT)));
    }
    String source = ModelDigest.of(checkpoint, team, options.notes());
    Map<String, Matrix> rounded =
        Q8Weights.of(folder, weights.streamed(), source, options, team, arena);
    return weights.inForm(matrix -> rounded.get(matrix.name()));
  }

  /** Turns the weights of a checkpoint into others. */
  private interface Forming {
    Weights form(Checkpoint checkpoint, Weights weights, Arena arena);
  }

  private static Model load(Path folder, long ropeLength, Forming forming, WeightForm form) {
    // First the weights: a path that is no model folder gets the message that says so.
    Checkpoint checkpoint = Checkpoint.open(folder);
    Arena arena = Arena.ofShared();
    try {
      ModelConfig config = ModelConfigReader.read(folder, ropeLength);
      Weights weights = Weights.of(checkpoint, config, arena);
      List<String> remarks = new TensorCheck(checkpoint, config, weights).remarks();
      Weights formed = forming.form(checkpoint, weights, arena);
      return new Model(folder, config, checkpoint, arena, formed, form, remarks);
    } catch (RuntimeException | Error e) {
      arena.close();
      checkpoint.close();
      throw e;
    }
  }

  /** The folder that it was loaded from. */
  public Path folder() {
    return folder;
  }

  /** What is to be said of its files: tensors that it does not use. */
  public List<String> remarks() {
    return remarks;
  }

  /** The exception to throw for one that a step ended with: a weight's fault is the weight's. */
  RuntimeException explained(Throwable e) {
    if (e instanceof Error error) {
      throw error;
    }
    if (e instanceof GatunException found) {
      String weight = NonFinite.first(checkpoint, weights.names());
      if (weight != null) {
        return new GatunException("%s (%s)".formatted(weight, found.getMessage()), found);
      }
    }
    return (RuntimeException) e;
  }

  /** What it computes. */
  public ModelConfig config() {
    return config;
  }

  /**
   * The tokenizer of the folder, opened when it is first asked for.
   *
   * @throws io.gatun.cache.GatunException if there is none, or it cannot be used here
   */
  public synchronized Tokenizer tokenizer() {
    if (tokenizer == null) {
      tokenizer = Tokenizer.load(folder);
    }
    return tokenizer;
  }

  /** What one token leaves in a KV cache of this model. */
  public KvShape kvShape() {
    return config.kvShape();
  }

  /** The element type for a cache that loses nothing against the checkpoint: its own. */
  public KvType kvType() {
    return switch (weights.embedding().type()) {
      case F16 -> KvType.F16;
      case BF16 -> KvType.BF16;
      case F32, Q8 -> KvType.F32;
    };
  }

  /** The type of the weights that a step reads, as users write it: {@code bf16}, {@code q8}. */
  public String weightLabel() {
    return weights.output().type().label();
  }

  /** In which form its weights are. */
  public WeightForm weightForm() {
    return form;
  }

  Weights weights() {
    return weights;
  }

  /**
   * What makes keys and values of this model what they are: all weights, their form, and the
   * configuration that enters them. Reads all weights the first time; see {@link ModelDigest}.
   *
   * @throws io.gatun.cache.GatunException if a weight is not finite
   */
  public Fingerprint fingerprint(Team team) {
    return fingerprint(team, ModelDigest.defaultNotes());
  }

  Fingerprint fingerprint(Team team, Path notes) {
    String digest = ModelDigest.of(checkpoint, team, notes);
    return form == WeightForm.MODEL
        ? Fingerprint.of(config.text(), digest)
        : Fingerprint.of(config.text(), digest, "weights " + form + " " + Q8File.FORM);
  }

  /** Whether a token ends a text. */
  public boolean isStop(int token) {
    for (int id : stopIds) {
      if (id == token) {
        return true;
      }
    }
    return false;
  }

  /** Bytes of weights that one decode step reads. */
  public long weightBytesPerStep() {
    return weights.bytesPerStep();
  }

  /** Unmaps the weights. Decoders of this model must be closed before. */
  @Override
  public synchronized void close() {
    if (tokenizer != null) {
      tokenizer.close();
      tokenizer = null;
    }
    if (arena.scope().isAlive()) {
      arena.close();
      checkpoint.close();
    }
  }
}
