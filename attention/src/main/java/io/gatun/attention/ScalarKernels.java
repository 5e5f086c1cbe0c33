package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import io.gatun.cache.Hadamard;
import io.gatun.cache.KvLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** The kernels in plain Java, for where the Vector API module is missing. */
final class ScalarKernels implements Kernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  @Override
  public int tokensPerVector() {
    return 1;
  }

  @Override
  public String description() {
    return "plain Java";
  }

  @Override
  public KeyKernel keys(KvLayout layout) {
    RowFormat format = RowFormat.ofKeys(layout);
    return new Keys(format, format.dim());
  }

  @Override
  public ValueKernel values(KvLayout layout) {
    RowFormat format = RowFormat.ofValues(layout);
    return new Values(format, format.dim());
  }

  @Override
  public SoftmaxKernel softmax(ValueKernel values) {
    return new Softmax();
  }

  private record Keys(RowFormat format, int dim) implements KeyKernel {
    @Override
    public int stride() {
      return dim;
    }

    @Override
    public void prepare(MemorySegment from, long offset, float[] to, int at) {
      MemorySegment.copy(from, FLOAT, offset, to, at, dim);
      Hadamard.rotate(to, at, dim, format.rotation());
    }

    @Override
    public void scores(
        MemorySegment keys,
        long offset,
        long scaleOffset,
        int tokens,
        Floats queries,
        int qAt,
        int rows,
        Floats to,
        int at,
        RowsAhead ahead) {
      float[] q = queries.array();
      float[] scores = to.array();
      for (int t = 0; t < tokens; t++) {
        long row = offset + (long) t * format.rowBytes();
        long scales = scaleOffset + (long) t * format.scaleBytes();
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        for (int i = 0; i < dim; i++) {
          float k = Elements.decode(format, keys, row, scales, i);
          s0 = Math.fma(q[qAt + i], k, s0);
          s1 = Math.fma(q[qAt + dim + i], k, s1);
          s2 = Math.fma(q[qAt + 2 * dim + i], k, s2);
          s3 = Math.fma(q[qAt + 3 * dim + i], k, s3);
        }
        scores[at + ROWS * t] = s0;
        scores[at + ROWS * t + 1] = s1;
        scores[at + ROWS * t + 2] = s2;
        scores[at + ROWS * t + 3] = s3;
        ahead.amongKeys(1);
      }
    }
  }

  private record Values(RowFormat format, int dim) implements ValueKernel {
    @Override
    public int stride() {
      return dim;
    }

    @Override
    public float weightScale() {
      return 1;
    }

    @Override
    public void accumulate(
        MemorySegment values,
        long offset,
        long scaleOffset,
        int tokens,
        Floats weighted,
        int weightsAt,
        Floats to,
        int at,
        int rows,
        RowsAhead ahead) {
      float[] weights = weighted.array();
      float[] sums = to.array();
      for (int t = 0; t < tokens; t++) {
        long row = offset + (long) t * format.rowBytes();
        long scales = scaleOffset + (long) t * format.scaleBytes();
        float w0 = weights[weightsAt + ROWS * t];
        float w1 = weights[weightsAt + ROWS * t + 1];
        float w2 = weights[weightsAt + ROWS * t + 2];
        float w3 = weights[weightsAt + ROWS * t + 3];
        for (int i = 0; i < dim; i++) {
          float v = Elements.decode(format, values, row, scales, i);
          sums[at + i] = Math.fma(w0, v, sums[at + i]);
          sums[at + dim + i] = Math.fma(w1, v, sums[at + dim + i]);
          sums[at + 2 * dim + i] = Math.fma(w2, v, sums[at + 2 * dim + i]);
          sums[at + 3 * dim + i] = Math.fma(w3, v, sums[at + 3 * dim + i]);
        }
        ahead.amongValues(1, 1);
      }
    }

    @Override
    public void finish(float[] sums, int at, float divisor, MemorySegment to, long offset) {
      float factor = 1 / divisor;
      for (int i = at; i < at + dim; i++) {
        // Adding 0 turns a negative zero, which masked tokens may or may not touch, into 0.
        sums[i] = sums[i] * factor + 0f;
      }
      Hadamard.rotate(sums, at, dim, format.rotation());
      MemorySegment.copy(sums, at, to, FLOAT, offset, dim);
    }
  }

  private static final class Softmax implements SoftmaxKernel {
    @Override
    public void markOverflow(float[] scores, int at, int vectors) {
      for (int i = at; i < at + vectors * ROWS; i++) {
        scores[i] += scores[i] - scores[i];
      }
    }

    @Override
    public void cap(float[] scores, int at, int vectors, float scale, float cap) {
      for (int i = at; i < at + vectors * ROWS; i++) {
        scores[i] = cap * Exp2.tanh(scores[i] * (scale / cap));
      }
    }

    @Override
    public void step(
        Call call,
        Floats scoreFloats,
        int at,
        int vectors,
        float factor,
        float weightScale,
        Floats stateFloats,
        int stateAt,
        Floats sumFloats,
        int sumsAt,
        int stride) {
      float[] scores = scoreFloats.array();
      float[] state = stateFloats.array();
      float[] sums = sumFloats.array();
      for (int row = 0; row < ROWS; row++) {
        float before = state[stateAt + row];
        float maximum = before;
        boolean notNumbers = false;
        for (int i = at + row; i < at + vectors * ROWS; i += ROWS) {
          scores[i] = Math.min(scores[i] * factor, Float.MAX_VALUE);
          maximum = scores[i] > maximum ? scores[i] : maximum;
          notNumbers |= Float.isNaN(scores[i]);
        }
        if (notNumbers) {
          // Nothing that comes later may hide it.
          state[stateAt + ROWS + row] = Float.NaN;
          continue;
        }
        if (maximum == Float.NEGATIVE_INFINITY) {
          for (int i = at + row; i < at + vectors * ROWS; i += ROWS) {
            scores[i] = 0;
          }
          continue;
        }
        float correction = Exp2.of(before - maximum);
        float sum = state[stateAt + ROWS + row] * correction;
        for (int i = at + row; i < at + vectors * ROWS; i += ROWS) {
          float weight = Exp2.of(scores[i] - maximum);
          scores[i] = weight * weightScale;
          sum += weight;
        }
        state[stateAt + row] = maximum;
        state[stateAt + ROWS + row] = sum;
        if (correction != 1) {
          int from = sumsAt + row * stride;
          for (int i = from; i < from + stride; i++) {
            sums[i] *= correction;
          }
        }
      }
    }

    @Override
    public void add(Call call, Floats fromFloats, Floats toFloats, int at, int count) {
      float[] from = fromFloats.array();
      float[] to = toFloats.array();
      for (int i = 0; i < count; i++) {
        to[at + i] += from[i];
      }
    }

    @Override
    public void merge(
        float[] to, int toAt, float factor, float[] from, int fromAt, float fromFactor, int count) {
      for (int i = 0; i < count; i++) {
        to[toAt + i] = Math.fma(to[toAt + i], factor, from[fromAt + i] * fromFactor);
      }
    }

    @Override
    public boolean finite(MemorySegment floats, long offset, int count) {
      boolean finite = true;
      for (int i = 0; i < count; i++) {
        finite &= Float.isFinite(floats.get(FLOAT, offset + 4L * i));
      }
      return finite;
    }

    @Override
    public float total(float[] state, int at, int row) {
      return state[at + ROWS + row];
    }

    @Override
    public float maximum(float[] state, int at, int row) {
      return state[at + row];
    }

    @Override
    public void clear(float[] state, int at) {
      Arrays.fill(state, at, at + ROWS, Float.NEGATIVE_INFINITY);
      Arrays.fill(state, at + ROWS, at + 2 * ROWS, 0f);
    }
  }
}
