package io.gatun.tools.matrix;

import io.gatun.attention.Team;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Activations times weights with the inputs outermost. A task takes a block of columns: it decodes
 * a piece of each row once and adds its multiples to the sums of all tokens. Sums run over the
 * inputs in their order, in stretches whose sums are added to the total, so a token's bits do not
 * depend on the batch or on the number of threads.
 *
 * <p>Thread rules: one call at a time. Allocates nothing per call.
 */
public final class InputMajorProduct {
  /** Columns of a task. */
  private static final int COLUMNS = 256;

  /** Inputs of a stretch: short sums lose less than one long one. */
  private static final int STRETCH = 64;

  private final Team team;
  private final float[][] weights; // per worker: [COLUMNS]
  private final float[][] sums; // per worker: [tokens][COLUMNS], of the stretch
  private final float[][] totals; // per worker: [tokens][COLUMNS]
  private final Team.Task task = this::columns;

  // The call under way.
  private InputMajor weight;
  private Activations x;
  private int tokens;
  private MemorySegment out;

  /**
   * A product for batches of up to {@code maxTokens} tokens.
   *
   * @param team threads that share the work; stays the caller's to close
   */
  public InputMajorProduct(Team team, int maxTokens) {
    this.team = team;
    this.weights = new float[team.threads()][COLUMNS];
    this.sums = new float[team.threads()][maxTokens * COLUMNS];
    this.totals = new float[team.threads()][maxTokens * COLUMNS];
  }

  /**
   * Computes {@code out = x * weight + bias} for the first {@code tokens} rows of {@code x}.
   *
   * @param out f32 {@code [tokens][outputs]}
   */
  public void multiply(InputMajor weight, Activations x, int tokens, MemorySegment out) {
    if (x.cols() != weight.inputs() || tokens < 1 || tokens > x.tokens()) {
      throw new IllegalArgumentException(
          "%d tokens of %d columns, and the activations hold %d of %d"
              .formatted(tokens, weight.inputs(), x.tokens(), x.cols()));
    }
    this.weight = weight;
    this.x = x;
    this.tokens = tokens;
    this.out = out;
    team.run(Math.ceilDiv(weight.outputs(), COLUMNS), task);
  }

  private void columns(int block, int worker) {
    int from = block * COLUMNS;
    int to = Math.min(weight.outputs(), from + COLUMNS);
    int count = to - from;
    float[] total = totals[worker];
    Arrays.fill(total, 0, tokens * COLUMNS, 0);
    for (int input = 0; input < weight.inputs(); input += STRETCH) {
      stretch(input, Math.min(weight.inputs(), input + STRETCH), from, to, worker);
      float[] sum = sums[worker];
      for (int i = 0; i < tokens * COLUMNS; i++) {
        total[i] += sum[i];
      }
    }
    for (int token = 0; token < tokens; token++) {
      for (int i = 0; i < count; i++) {
        float value =
            total[token * COLUMNS + i] + weight.bias().get(MatrixProduct.FLOAT, 4L * (from + i));
        long at = 4L * ((long) token * weight.outputs() + from + i);
        out.set(MatrixProduct.FLOAT, at, value);
      }
    }
  }

  private void stretch(int fromInput, int toInput, int from, int to, int worker) {
    RowKernel kernel = MatrixKernels.rows(weight.type());
    float[] w = weights[worker];
    float[] sum = sums[worker];
    Arrays.fill(sum, 0, tokens * COLUMNS, 0);
    for (int input = fromInput; input < toInput; input++) {
      kernel.widen(weight.data(), weight.outputs(), input, from, to - from, w, 0);
      for (int token = 0; token < tokens; token++) {
        float factor = x.data().get(MatrixProduct.FLOAT, x.offset(token, input));
        addMultiple(factor, w, to - from, sum, token * COLUMNS);
      }
    }
  }

  private static void addMultiple(float factor, float[] w, int count, float[] sum, int at) {
    for (int i = 0; i < count; i++) {
      sum[at + i] = Math.fma(factor, w[i], sum[at + i]);
    }
  }
}
