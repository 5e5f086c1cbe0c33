package io.gatun.attention;

import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The online softmax on the Vector API, for 4 rows in the same vectors: lane {@code row * T + t %
 * T} has the token {@code t}. The sum of a row is kept as {@code T} partial sums, strided over the
 * tokens, which {@link #total} adds.
 */
final class VectorSoftmax implements SoftmaxKernel {
  /** Tokens whose scores for one row stand side by side. */
  private static final int TOKENS = COUNT / Kernels.ROWS;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  @Override
  public void markOverflow(float[] scores, int at, int vectors) {
    for (int i = at; i < at + vectors * COUNT; i += COUNT) {
      // A finite number less itself is 0, any other is NaN.
      FloatVector score = FloatVector.fromArray(FLOATS, scores, i);
      score.add(score.sub(score)).intoArray(scores, i);
    }
  }

  @Override
  public void cap(float[] scores, int at, int vectors, float scale, float cap) {
    for (int i = at; i < at + vectors * COUNT; i += COUNT) {
      tanh(FloatVector.fromArray(FLOATS, scores, i).mul(scale / cap)).mul(cap).intoArray(scores, i);
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
    int end = at + vectors * COUNT;
    FloatVector one = FloatVector.broadcast(FLOATS, 1f);
    FloatVector c1 = FloatVector.broadcast(FLOATS, Exp2.C1);
    FloatVector c2 = FloatVector.broadcast(FLOATS, Exp2.C2);
    FloatVector c3 = FloatVector.broadcast(FLOATS, Exp2.C3);
    FloatVector c4 = FloatVector.broadcast(FLOATS, Exp2.C4);
    FloatVector c5 = FloatVector.broadcast(FLOATS, Exp2.C5);
    FloatVector before = FloatVector.fromArray(FLOATS, state, stateAt);
    FloatVector maximum = before;
    for (int i = at; i < end; i += COUNT) {
      // The greater of two by comparing: two instructions, max takes six. A score that is NaN is
      // left
      // out here, but its weight is NaN, and so are the row's sum and result: it is not lost.
      FloatVector score = FloatVector.fromArray(FLOATS, scores, i).mul(factor);
      score = score.blend(Float.MAX_VALUE, score.compare(VectorOperators.GT, Float.MAX_VALUE));
      score.intoArray(scores, i);
      maximum = maximum.blend(score, score.compare(VectorOperators.GT, maximum));
    }
    if (TOKENS > 1) {
      FloatVector swapped = maximum.rearrange(Lanes.SWAP_0);
      maximum = maximum.blend(swapped, swapped.compare(VectorOperators.GT, maximum));
    }
    if (TOKENS > 2) {
      FloatVector swapped = maximum.rearrange(Lanes.SWAP_1);
      maximum = maximum.blend(swapped, swapped.compare(VectorOperators.GT, maximum));
    }
    maximum.intoArray(state, stateAt);
    // Where nothing was seen yet the maximum is minus infinity; any finite one gives weights of 0.
    VectorMask<Float> nothing = maximum.compare(VectorOperators.LT, -Float.MAX_VALUE);
    FloatVector base = maximum.blend(0f, nothing);
    // 2^x as Exp2.of has it, written out: C2 does not promise to inline a method of ours.
    FloatVector x = before.sub(base);
    FloatVector shifted = x.add(Exp2.ROUND);
    FloatVector f = x.sub(shifted.sub(Exp2.ROUND));
    FloatVector p = FloatVector.broadcast(FLOATS, Exp2.C6).fma(f, c5);
    p = p.fma(f, c4).fma(f, c3).fma(f, c2).fma(f, c1).fma(f, one);
    FloatVector correction =
        p.reinterpretAsInts()
            .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
            .reinterpretAsFloats()
            .blend(0f, x.compare(VectorOperators.LT, Exp2.LEAST));
    FloatVector sum = FloatVector.fromArray(FLOATS, state, stateAt + COUNT).mul(correction);
    for (int i = at; i < end; i += COUNT) {
      x = FloatVector.fromArray(FLOATS, scores, i).sub(base);
      shifted = x.add(Exp2.ROUND);
      f = x.sub(shifted.sub(Exp2.ROUND));
      p = FloatVector.broadcast(FLOATS, Exp2.C6).fma(f, c5);
      p = p.fma(f, c4).fma(f, c3).fma(f, c2).fma(f, c1).fma(f, one);
      FloatVector weight =
          p.reinterpretAsInts()
              .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
              .reinterpretAsFloats()
              .blend(0f, x.compare(VectorOperators.LT, Exp2.LEAST));
      weight.mul(weightScale).intoArray(scores, i);
      sum = sum.add(weight);
    }
    sum.intoArray(state, stateAt + COUNT);
    if (correction.compare(VectorOperators.NE, 1f).anyTrue()) {
      correction.intoArray(state, stateAt + 2 * COUNT);
      rescale(state, stateAt + 2 * COUNT, sums, sumsAt, stride);
    }
  }

  private static void rescale(
      float[] corrections, int correctionsAt, float[] sums, int at, int stride) {
    for (int row = 0; row < Kernels.ROWS; row++) {
      float correction = corrections[correctionsAt + row * TOKENS];
      for (int i = at + row * stride; i < at + (row + 1) * stride; i += COUNT) {
        FloatVector.fromArray(FLOATS, sums, i).mul(correction).intoArray(sums, i);
      }
    }
  }

  // In plain loops over two arrays, which may be one and the same, C2 takes number by number.

  @Override
  public void add(Call call, Floats fromFloats, Floats toFloats, int at, int count) {
    float[] from = fromFloats.array();
    float[] to = toFloats.array();
    for (int i = 0; i < count; i += COUNT) {
      FloatVector.fromArray(FLOATS, to, at + i)
          .add(FloatVector.fromArray(FLOATS, from, i))
          .intoArray(to, at + i);
    }
  }

  @Override
  public void merge(
      float[] to, int toAt, float factor, float[] from, int fromAt, float fromFactor, int count) {
    FloatVector scale = FloatVector.broadcast(FLOATS, factor);
    for (int i = 0; i < count; i += COUNT) {
      FloatVector added = FloatVector.fromArray(FLOATS, from, fromAt + i).mul(fromFactor);
      FloatVector.fromArray(FLOATS, to, toAt + i).fma(scale, added).intoArray(to, toAt + i);
    }
  }

  private static FloatVector rise(FloatVector f) {
    FloatVector p = FloatVector.broadcast(FLOATS, Exp2.C6);
    p = p.fma(f, FloatVector.broadcast(FLOATS, Exp2.C5));
    p = p.fma(f, FloatVector.broadcast(FLOATS, Exp2.C4));
    p = p.fma(f, FloatVector.broadcast(FLOATS, Exp2.C3));
    p = p.fma(f, FloatVector.broadcast(FLOATS, Exp2.C2));
    return p.fma(f, FloatVector.broadcast(FLOATS, Exp2.C1));
  }

  /** {@link Exp2#tanh}, lane by lane. */
  private static FloatVector tanh(FloatVector x) {
    FloatVector y = x.mul(2 * Exp2.LOG2_E);
    y = y.blend(30f, y.compare(VectorOperators.GT, 30f));
    y = y.blend(-30f, y.compare(VectorOperators.LT, -30f));
    FloatVector shifted = y.add(Exp2.ROUND);
    FloatVector f = y.sub(shifted.sub(Exp2.ROUND));
    FloatVector power =
        shifted
            .reinterpretAsInts()
            .lanewise(VectorOperators.LSHL, 23)
            .add(0x3f80_0000)
            .reinterpretAsFloats();
    FloatVector e = power.fma(rise(f).mul(f), power.sub(1f));
    return e.div(e.add(2f));
  }

  @Override
  public boolean finite(MemorySegment floats, long offset, int count) {
    // A finite number less itself is 0, any other is NaN.
    FloatVector nothing = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i + COUNT <= count; i += COUNT) {
      FloatVector some =
          FloatVector.fromMemorySegment(FLOATS, floats, offset + 4L * i, ByteOrder.nativeOrder());
      nothing = nothing.add(some.sub(some));
    }
    boolean finite = !nothing.compare(VectorOperators.NE, 0f).anyTrue();
    for (; i < count; i++) {
      finite &= Float.isFinite(floats.get(FLOAT, offset + 4L * i));
    }
    return finite;
  }

  @Override
  public void clear(float[] state, int at) {
    Arrays.fill(state, at, at + COUNT, Float.NEGATIVE_INFINITY);
    Arrays.fill(state, at + COUNT, at + 2 * COUNT, 0f);
  }

  @Override
  public float maximum(float[] state, int at, int row) {
    return state[at + row * TOKENS];
  }

  @Override
  public float total(float[] state, int at, int row) {
    int from = at + COUNT + row * TOKENS;
    if (TOKENS == 4) {
      return (state[from] + state[from + 1]) + (state[from + 2] + state[from + 3]);
    }
    return TOKENS == 2 ? state[from] + state[from + 1] : state[from];
  }
}
