package io.gatun.tools.matrix;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the vector kernels share. The order of every sum is fixed here:
 *
 * <pre>
 *   lane l of the accumulator   w[l] x[l], then + w[l + L] x[l + L], ...     by FMA, L lanes
 *   sum of the lanes            halves onto each other: l + (l ^ L/2), l ^ L/4, ..., l ^ 1
 *   columns behind the last     + w[c] x[c], by FMA, one after the other
 *   whole vector
 * </pre>
 *
 * It does not depend on how many rows or tokens are computed at once, so a token's result does not
 * either. {@code reduceLanes} is not used: its order for floats is not specified.
 */
final class Lanes {
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());

  /** As many 16-bit values as there are floats in a vector. */
  static final VectorSpecies<Short> HALVES =
      VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

  /**
   * At least as many bytes as there are floats in a vector: there are no vectors of 4 bytes. What is
   * loaded too much lies in the same row, whose scales take 4 bytes or more.
   */
  static final VectorSpecies<Byte> BYTES =
      VectorSpecies.of(
          byte.class, VectorShape.forBitSize(Math.max(64, FLOATS.vectorBitSize() / 4)));

  static final int COUNT = FLOATS.length();

  static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  /** Activations are the machine's own floats. */
  static final ByteOrder NATIVE = ByteOrder.nativeOrder();

  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private static final VectorShuffle<Float> BY_8 = exchange(8);
  private static final VectorShuffle<Float> BY_4 = exchange(4);
  private static final VectorShuffle<Float> BY_2 = exchange(2);
  private static final VectorShuffle<Float> BY_1 = exchange(1);

  /** Keeps the loads of {@link #readAhead} from being optimised away; its value means nothing. */
  private static int sink;

  private Lanes() {}

  private static VectorShuffle<Float> exchange(int distance) {
    return VectorShuffle.fromOp(FLOATS, lane -> (lane ^ distance) % COUNT);
  }

  /**
   * The sum of the lanes of a stored accumulator, in the order above.
   *
   * <p>Design note: accumulators come through memory, because C2 puts every vector on the heap that
   * it hands to a method it does not inline, and a loop with its sums inlined is too large for it.
   */
  static float sum(float[] sums, int at) {
    FloatVector sum = FloatVector.fromArray(FLOATS, sums, at);
    if (COUNT >= 16) {
      sum = sum.add(sum.rearrange(BY_8));
    }
    if (COUNT >= 8) {
      sum = sum.add(sum.rearrange(BY_4));
    }
    if (COUNT >= 4) {
      sum = sum.add(sum.rearrange(BY_2));
    }
    return sum.add(sum.rearrange(BY_1)).lane(0);
  }

  /**
   * Brings {@code [from, to)} of a segment into the caches in one plain pass. The system's
   * prefetcher keeps up with that better than with the several short streams of a dot product.
   */
  static void readAhead(MemorySegment memory, long from, long to) {
    IntVector a = IntVector.zero(INTS);
    IntVector b = a;
    IntVector c = a;
    IntVector d = a;
    for (long at = from; at <= to - 256; at += 256) {
      // One load brings in a whole line of 64 bytes.
      a = a.or(IntVector.fromMemorySegment(INTS, memory, at, LE));
      b = b.or(IntVector.fromMemorySegment(INTS, memory, at + 64, LE));
      c = c.or(IntVector.fromMemorySegment(INTS, memory, at + 128, LE));
      d = d.or(IntVector.fromMemorySegment(INTS, memory, at + 192, LE));
    }
    sink = a.or(b).or(c.or(d)).lane(0);
  }
}
