package io.gatun.tools.recall;

/**
 * A byte as eight signs: dimension 0 to 6 hold its lower seven bits, dimension 7 the parity of all
 * eight, +1 for a one and -1 for a zero. Two different bytes differ in at least one sign, two
 * different ASCII characters in at least two.
 */
final class ByteCode {
  /** Signs of a byte. */
  static final int DIM = 8;

  /** The dimension that holds the parity. */
  static final int PARITY = 7;

  private ByteCode() {}

  /** Sign {@code dim} of byte {@code value}, +1 or -1. */
  static int sign(int value, int dim) {
    int bit = dim == PARITY ? Integer.bitCount(value & 0xff) : value >> dim;
    return (bit & 1) == 1 ? 1 : -1;
  }
}
