package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ResidualStream;
import io.gatun.tools.matrix.Activations;
import io.gatun.tools.matrix.Matrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The residual stream of a batch: what attention and MLP read of it, and how what they give is
 * added.
 *
 * <p>Design note: where nothing stands between a projection and the stream, the projection adds to
 * it; else it writes to a buffer of its own, {@link #branch}, which is normalised and multiplied on
 * the way.
 */
final class StreamRows {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  final MemorySegment hidden; // [tokens][hidden]
  final MemorySegment branch; // [tokens][hidden]
  final Activations normed; // [tokens][hidden]

  private final Step step;
  private final int dim;
  private final double eps;
  private final float embeddingFactor;
  private final float residualFactor;
  private final boolean direct;
  private final Team.Task readTask = this::read;
  private final Team.Task addTask = this::add;

  // The call under way.
  private MemorySegment gain;

  StreamRows(Step step, ModelConfig config, int tokens, Arena arena) {
    ResidualStream stream = config.stream();
    this.step = step;
    this.dim = config.hiddenSize();
    this.eps = config.rmsNormEps();
    this.embeddingFactor = (float) stream.embedding();
    this.residualFactor = (float) stream.residual();
    this.direct = stream.norms() == ResidualStream.NormPlaces.BEFORE && stream.residual() == 1;
    this.hidden = Step.floats(tokens, dim, arena);
    this.branch = Step.floats(tokens, dim, arena);
    this.normed = new Activations(tokens, dim, arena);
  }

  /** Whether projections add to the stream themselves. */
  boolean direct() {
    return direct;
  }

  /** Where projections write. */
  MemorySegment target() {
    return direct ? hidden : branch;
  }

  /** Puts a token's embedding into a row. */
  void embed(Matrix embedding, int token, int row) {
    long at = 4L * row * dim;
    embedding.row(token, hidden, at);
    if (embeddingFactor != 1) {
      for (int i = 0; i < dim; i++) {
        hidden.set(FLOAT, at + 4L * i, hidden.get(FLOAT, at + 4L * i) * embeddingFactor);
      }
    }
  }

  /**
   * Brings what attention or MLP read to {@link #normed}.
   *
   * @param newGain null to read the stream as it is
   */
  void read(MemorySegment newGain, int tokens) {
    gain = newGain;
    step.run(tokens, readTask);
  }

  private void read(int token, int worker) {
    long at = 4L * token * dim;
    if (gain == null) {
      normed.set(token, hidden, at);
    } else {
      Norms.rms(hidden, at, gain, eps, normed, token);
    }
  }

  /**
   * Adds {@link #branch} to the stream.
   *
   * @param newGain null to add it without a norm
   */
  void add(MemorySegment newGain, int tokens) {
    gain = newGain;
    step.run(tokens, addTask);
  }

  private void add(int token, int worker) {
    long at = 4L * token * dim;
    if (gain != null) {
      Norms.rmsInPlace(branch, at, dim, gain, eps);
    }
    for (int i = 0; i < dim; i++) {
      long o = at + 4L * i;
      float value = Math.fma(branch.get(FLOAT, o), residualFactor, hidden.get(FLOAT, o));
      hidden.set(FLOAT, o, value);
    }
  }

  /** Normalises one row for the output layer. */
  void readLast(MemorySegment finalGain) {
    Norms.rms(hidden, 0, finalGain, eps, normed, 0);
  }

  /** Copies the last of some rows to the first of another's. */
  void copyLast(int tokens, StreamRows to) {
    long bytes = 4L * dim;
    MemorySegment.copy(hidden, (tokens - 1) * bytes, to.hidden, 0, bytes);
  }
}
