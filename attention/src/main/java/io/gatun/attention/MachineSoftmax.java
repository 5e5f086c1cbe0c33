package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Call.Field;
import io.gatun.attention.code.Floats;
import io.gatun.attention.code.MachineCode;
import io.gatun.attention.code.SplitCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** The online softmax in machine code; soft caps, and merges within prefill, on the Vector API. */
final class MachineSoftmax implements SoftmaxKernel {
  private static final int LANES = MachineCode.LANES;

  /** Vectors of the state of some rows. */
  private static final int STATE = 3;

  /** Rows of parts that are merged in one call: a garbage collection waits for its end. */
  private static final int MOST_MERGED = 1024;

  private final VectorSoftmax inJava = new VectorSoftmax();
  private final int stride;
  private final float weightScale;
  private final MachineCode step;
  private final MachineCode add;
  private final MachineCode merge;

  /**
   * Makes the code, or finds it.
   *
   * @param stride floats of a row of sums; {@link SplitCode#fits} has seen it
   * @param weightScale factor of weights that are stored
   * @throws IllegalStateException if there is no more room for code
   */
  MachineSoftmax(int stride, float weightScale) {
    this.stride = stride;
    this.weightScale = weightScale;
    this.step = SplitCode.step(stride, weightScale, Exp2.IN_CODE);
    this.add = SplitCode.add();
    this.merge = SplitCode.merge(stride, Exp2.IN_CODE);
  }

  @Override
  public void markOverflow(float[] scores, int at, int vectors) {
    inJava.markOverflow(scores, at, vectors);
  }

  @Override
  public void cap(float[] scores, int at, int vectors, float scale, float cap) {
    inJava.cap(scores, at, vectors, scale, cap);
  }

  @Override
  public void step(
      Call call,
      Floats scores,
      int at,
      int vectors,
      float factor,
      float weightScale,
      Floats state,
      int stateAt,
      Floats sums,
      int sumsAt,
      int stride) {
    if (stride != this.stride || weightScale != this.weightScale || vectors < 1) {
      throw new IllegalArgumentException(
          "a step of %d vectors over sums of %d floats, weights times %s; this is for %d and %s"
              .formatted(vectors, stride, weightScale, this.stride, this.weightScale));
    }
    Objects.checkFromIndexSize(at, vectors * LANES, scores.array().length);
    Objects.checkFromIndexSize(stateAt, STATE * LANES, state.array().length);
    Objects.checkFromIndexSize(sumsAt, Kernels.ROWS * stride, sums.array().length);
    call.set(Field.TOKENS, (long) vectors * (LANES / Kernels.ROWS));
    call.set(Field.SCORES, (long) at * Float.BYTES);
    call.set(Field.STATE, (long) stateAt * Float.BYTES);
    call.set(Field.SUMS, (long) sumsAt * Float.BYTES);
    call.set(Field.FACTOR, Float.floatToRawIntBits(factor));
    run(step, call, sums, scores, sums, state);
  }

  @Override
  public void add(Call call, Floats from, Floats to, int at, int count) {
    if (count < LANES || count % LANES != 0) {
      throw new IllegalArgumentException(count + " floats are not vectors of " + LANES);
    }
    Objects.checkFromIndexSize(0, count, from.array().length);
    Objects.checkFromIndexSize(at, count, to.array().length);
    call.set(Field.COUNT, count / LANES);
    call.set(Field.QUERY, 0);
    call.set(Field.SUMS, (long) at * Float.BYTES);
    run(add, call, from, from, to, to);
  }

  @Override
  public void merge(
      float[] to, int toAt, float factor, float[] from, int fromAt, float fromFactor, int count) {
    inJava.merge(to, toAt, factor, from, fromAt, fromFactor, count);
  }

  @Override
  public boolean mergeParts(
      Call call,
      MemorySegment store,
      long offset,
      long partBytes,
      int parts,
      int rows,
      Floats maxima,
      Floats totals,
      Floats sums,
      int first) {
    long rowBytes = (stride + 2L) * Float.BYTES;
    Objects.checkFromIndexSize(offset, (parts - 1) * partBytes + rows * rowBytes, store.byteSize());
    Objects.checkFromIndexSize(first, rows, maxima.array().length);
    Objects.checkFromIndexSize(first, rows, totals.array().length);
    Objects.checkFromIndexSize(first * stride, rows * stride, sums.array().length);
    int rowsAtOnce = Math.max(1, MOST_MERGED / parts);
    for (int row = 0; row < rows; row += rowsAtOnce) {
      int count = Math.min(rowsAtOnce, rows - row);
      for (int part = 0; part < parts; part += MOST_MERGED) {
        call.set(Field.PARTS, Math.min(MOST_MERGED, parts - part));
        call.set(Field.PART_BYTES, partBytes);
        call.set(Field.COUNT, count);
        call.set(Field.KEY, offset + part * partBytes + row * rowBytes);
        call.set(Field.QUERY, (long) (first + row) * Float.BYTES);
        call.set(Field.STATE, (long) (first + row) * Float.BYTES);
        call.set(Field.SUMS, (long) (first + row) * stride * Float.BYTES);
        merge.run(
            call, store, store, maxima.memory(), maxima.memory(), sums.memory(), totals.memory());
      }
    }
    return true;
  }

  private static void run(
      MachineCode code, Call call, Floats queries, Floats scores, Floats sums, Floats state) {
    MemorySegment none = queries.memory();
    code.run(call, none, none, none, scores.memory(), sums.memory(), state.memory());
  }

  @Override
  public boolean finite(MemorySegment floats, long offset, int count) {
    return inJava.finite(floats, offset, count);
  }

  @Override
  public void clear(float[] state, int stateAt) {
    inJava.clear(state, stateAt);
  }

  @Override
  public float maximum(float[] state, int stateAt, int row) {
    return inJava.maximum(state, stateAt, row);
  }

  @Override
  public float total(float[] state, int stateAt, int row) {
    return inJava.total(state, stateAt, row);
  }
}
