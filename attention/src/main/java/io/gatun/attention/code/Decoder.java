package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.cache.KvType;

/**
 * Writes what brings a stored row into vector registers, as floats, 16 at a time, in the order of the
 * Vector API's kernels: of 16-bit types the even values of each 32 before the odd ones, of 4-bit
 * codes the low halves of 16 bytes before the high ones.
 *
 * <p>F16 comes out times 2^-112 (the query or the weights undo it), codes without their scale.
 */
final class Decoder {
  /** Floats of a vector. */
  static final int LANES = 16;

  /** Bytes of a vector. */
  static final int BYTES = 64;

  /** Registers that hold constants: the mask of 16-bit values, and the values of 4-bit codes. */
  private static final int MASK = 31;

  static final int LEVELS = 30;

  /** The last register that is free for others. */
  static final int FREE = 29;

  private static final int HALF_MASK = 0x8fff_e000;
  private static final int BFLOAT_MASK = 0xffff_0000;

  private final KvType type;
  private final int dim;
  private final int vectors;

  Decoder(RowCode rows) {
    this.type = rows.type();
    this.dim = rows.dim();
    int values = type.quantized() ? type.rowBytes(dim) * Byte.SIZE / type.bits() : dim;
    this.vectors = values / LANES;
  }

  /** Whether rows of this width have nothing but whole vectors. */
  static boolean fits(KvType type, int dim) {
    return type.quantized() || dim % LANES == 0;
  }

  /** Vectors of a row. */
  int vectors() {
    return vectors;
  }

  /** Bytes of a row, without its scales. */
  int bytes() {
    return type.rowBytes(dim);
  }

  /** Vectors that have a scale in common. */
  static int vectorsOfGroup() {
    return KvType.GROUP / LANES;
  }

  /** Where in a row the bytes of a vector begin, which it may share with the one before it. */
  int from(int vector) {
    return switch (type.bits()) {
      case 32 -> vector * BYTES;
      case 16 -> vector / 2 * BYTES;
      case 8 -> vector * LANES;
      default -> vector / 2 * LANES;
    };
  }

  /** Sets the registers of constants; overwrites rax and 16 bytes at rsp. */
  void constants(Assembler a) {
    switch (type) {
      case F16 -> mask(a, HALF_MASK);
      case BF16 -> mask(a, BFLOAT_MASK);
      case Q4, Q4_PLAIN -> {
        // The bytes -8 to 7, from the lowest on.
        a.movImmediate(RAX, 0xfffe_fdfc_fbfa_f9f8L);
        a.store(at(RSP, 0), RAX);
        a.movImmediate(RAX, 0x0706_0504_0302_0100L);
        a.store(at(RSP, 8), RAX);
        a.vbytesToInts(LEVELS, at(RSP, 0));
        a.vintsToFloats(LEVELS, LEVELS);
      }
      case F32, Q8, Q8_PLAIN -> {}
    }
  }

  private static void mask(Assembler a, int mask) {
    a.movImmediate(RAX, mask & 0xffff_ffffL);
    a.vbroadcastInt(MASK, RAX);
  }

  /**
   * Brings one vector of a row into a register. Vectors are to be asked for in pairs, the even one
   * first.
   *
   * @param raw a register that keeps, from the even vector to the odd one, what they share
   * @param levels the register with the values of 4-bit codes
   */
  void load(Assembler a, int vector, Address row, int to, int raw, int levels) {
    Address from = row.plus(from(vector));
    boolean odd = vector % 2 == 1;
    switch (type) {
      case F32 -> a.vload(to, from);
      case F16, BF16 -> {
        if (vector * LANES + LANES == dim && !odd) {
          a.vunsignedShortsToInts(raw, from);
          decode16(a, false, to, raw);
        } else if (from.indexed()) {
          // With an index, an instruction that also loads counts as two.
          if (!odd) {
            a.vload(raw, from);
          }
          decode16(a, odd, to, raw);
        } else {
          decode16(a, odd, to, from);
        }
      }
      case Q8, Q8_PLAIN -> {
        a.vbytesToInts(to, from);
        a.vintsToFloats(to, to);
      }
      case Q4, Q4_PLAIN -> {
        if (odd) {
          a.vshiftRight(raw, raw, 4);
        } else {
          a.vunsignedBytesToInts(raw, from);
        }
        a.vpermute(to, raw, levels);
      }
    }
  }

  /**
   * The same, codes times their scales.
   *
   * @param scales where the row's scales lie
   * @param levels a register that keeps the levels of 4-bit codes, times their scale, from the first
   *     vector of a group to the last
   */
  void loadScaled(
      Assembler a, int vector, Address row, Address scales, int to, int raw, int levels) {
    int group = vector / vectorsOfGroup() * KvType.SCALE_BYTES;
    if (type.bits() == 4 && vector % vectorsOfGroup() == 0) {
      a.vmulBroadcast(levels, LEVELS, scales.plus(group));
    }
    load(a, vector, row, to, raw, levels);
    if (type.bits() == 8) {
      a.vmulBroadcast(to, to, scales.plus(group));
    }
  }

  private void decode16(Assembler a, boolean odd, int to, int raw) {
    if (type == KvType.BF16) {
      if (odd) {
        a.vand(to, MASK, raw);
      } else {
        a.vshiftLeft(to, raw, 16);
      }
      return;
    }
    // Sign, exponent and mantissa to where a binary32 has them.
    int high = raw;
    if (!odd) {
      a.vshiftLeft(to, raw, 16);
      high = to;
    }
    a.vshiftRightSigned(to, high, 3);
    a.vand(to, MASK, to);
  }

  private void decode16(Assembler a, boolean odd, int to, Address raw) {
    if (type == KvType.BF16) {
      if (odd) {
        a.vand(to, MASK, raw);
      } else {
        a.vshiftLeft(to, raw, 16);
      }
      return;
    }
    if (odd) {
      a.vshiftRightSigned(to, raw, 3);
    } else {
      a.vshiftLeft(to, raw, 16);
      a.vshiftRightSigned(to, to, 3);
    }
    a.vand(to, MASK, to);
  }
}
