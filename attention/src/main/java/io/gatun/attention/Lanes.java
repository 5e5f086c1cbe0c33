package io.gatun.attention;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width of this process, and how several vectors are summed over their lanes at once.
 *
 * <p>A sum over the lanes of one vector has a fixed order here: lanes whose numbers differ in bit 0
 * are added, then those that differ in bit 1, and so on. {@code reduceLanes} is not used for floats
 * because its order is left open and differs between interpreted and compiled code.
 */
final class Lanes {
  /** The preferred width, 512 bits at most: 16, 8 or 4 floats. */
  static final VectorSpecies<Float> FLOATS =
      FloatVector.SPECIES_PREFERRED.length() > 16
          ? FloatVector.SPECIES_512
          : FloatVector.SPECIES_PREFERRED;

  static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());

  /** Floats of a vector. */
  static final int COUNT = FLOATS.length();

  /** As many shorts as a vector has floats; they take half the bits. */
  static final VectorSpecies<Short> SHORTS =
      COUNT < 4
          ? ShortVector.SPECIES_64
          : VectorSpecies.of(short.class, VectorShape.forBitSize(COUNT * Short.SIZE));

  /** As many bytes as a vector has floats; where that is too few for a vector, 8. */
  static final VectorSpecies<Byte> CODES =
      COUNT < 8
          ? ByteVector.SPECIES_64
          : VectorSpecies.of(byte.class, VectorShape.forBitSize(COUNT * Byte.SIZE));

  /** Bytes of a vector. */
  static final int BYTES = COUNT * Float.BYTES;

  /** Lanes whose number has this bit set. */
  static final VectorMask<Float> BIT_0 = withBit(1);

  static final VectorMask<Float> BIT_1 = withBit(2);
  static final VectorMask<Float> BIT_2 = withBit(4);
  static final VectorMask<Float> BIT_3 = withBit(8);

  /** Swaps the lanes whose numbers differ in this bit. */
  static final VectorShuffle<Float> SWAP_0 = swapping(1);

  static final VectorShuffle<Float> SWAP_1 = swapping(2);
  static final VectorShuffle<Float> SWAP_2 = swapping(4);
  static final VectorShuffle<Float> SWAP_3 = swapping(8);

  private Lanes() {}

  private static VectorMask<Float> withBit(int bit) {
    long bits = 0;
    for (int i = 0; i < COUNT; i++) {
      bits |= (i & bit) != 0 ? 1L << i : 0;
    }
    return VectorMask.fromLong(FLOATS, bits);
  }

  private static VectorShuffle<Float> swapping(int bit) {
    // Where the vector has no such bit the shuffle is never used.
    return VectorShuffle.fromOp(FLOATS, i -> bit < COUNT ? i ^ bit : i);
  }

  /**
   * One step of the sum over lanes for two vectors at once: lanes with the bit clear hold pair sums
   * of {@code a}, the others pair sums of {@code b}.
   */
  static FloatVector pairs(
      FloatVector a, FloatVector b, VectorMask<Float> bit, VectorShuffle<Float> swap) {
    return a.blend(b, bit).add(b.blend(a, bit).rearrange(swap));
  }
}
