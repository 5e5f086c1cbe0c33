package io.gatun.attention.code;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes x86-64 instructions, those that the kernels need and no others: general registers of 64
 * bits, and vectors of 512 bits (AVX-512 F). Operands stand in Intel's order, the target first.
 *
 * <p>How an instruction is put together (Intel 64 Software Developer's Manual, volume 2, chapters 2.1
 * to 2.3 and 2.7):
 *
 * <pre>
 *   general  [REX]                  opcode  ModRM [SIB] [displacement] [immediate]
 *   vector   62 P0 P1 P2 (EVEX)     opcode  ModRM [SIB] [displacement] [immediate]
 *
 *   P0   ~R ~X ~B ~R'  0  m m m     upper bits of register, index, base; m: table of opcodes
 *   P1   0  ~v ~v ~v ~v 1  p p      v: second register; p: prefix that belongs to the opcode
 *   P2   z  L  L  b ~V' a a a       z: zero what is masked; L: length; b: broadcast; a: mask
 * </pre>
 *
 * A displacement of 8 bits counts in units of what a vector instruction takes from memory.
 *
 * <p>Thread rules: one thread.
 */
final class Assembler {
  // General registers, by their numbers in instructions.
  static final int RAX = 0;
  static final int RCX = 1;
  static final int RDX = 2;
  static final int RBX = 3;
  static final int RSP = 4;
  static final int RBP = 5;
  static final int RSI = 6;
  static final int RDI = 7;
  static final int R8 = 8;
  static final int R9 = 9;
  static final int R10 = 10;
  static final int R11 = 11;
  static final int R12 = 12;
  static final int R13 = 13;
  static final int R14 = 14;
  static final int R15 = 15;

  /** What an address has where it has no index. */
  private static final int NONE = -1;

  // The tables of opcodes, and the prefixes that belong to them.
  private static final int MAP_0F = 1;
  private static final int MAP_0F38 = 2;
  private static final int MAP_0F3A = 3;
  private static final int NO_PREFIX = 0;
  private static final int PREFIX_66 = 1;

  /** Instructions of 1, 2, ... bytes that do nothing. */
  private static final byte[][] NOTHING = {
    {(byte) 0x90},
    {0x66, (byte) 0x90},
    {0x0f, 0x1f, 0x00},
    {0x0f, 0x1f, 0x40, 0x00},
    {0x0f, 0x1f, 0x44, 0x00, 0x00},
    {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
    {0x0f, 0x1f, (byte) 0x80, 0x00, 0x00, 0x00, 0x00},
    {0x0f, 0x1f, (byte) 0x84, 0x00, 0x00, 0x00, 0x00, 0x00}
  };

  /** Bytes of a vector. */
  private static final int VECTOR = 64;

  /** A place in memory: {@code base + index + displacement}. */
  record Address(int base, int index, int displacement) {
    Address {
      if (index == RSP) {
        throw new IllegalArgumentException("rsp cannot be an index");
      }
    }

    boolean indexed() {
      return index != NONE;
    }

    Address plus(int bytes) {
      return new Address(base, index, displacement + bytes);
    }
  }

  /** A place in the code, to jump to. */
  static final class Label {
    private int position = -1;
    private final List<Integer> jumps = new ArrayList<>();
  }

  /** Conditions of jumps and moves, unsigned, by their numbers in instructions. */
  enum Condition {
    BELOW(2),
    ABOVE_OR_EQUAL(3),
    EQUAL(4),
    NOT_EQUAL(5),
    BELOW_OR_EQUAL(6),
    ABOVE(7);

    private final int code;

    Condition(int code) {
      this.code = code;
    }
  }

  private byte[] bytes = new byte[4096];
  private int size;

  static Address at(int base, int displacement) {
    return new Address(base, NONE, displacement);
  }

  static Address at(int base, int index, int displacement) {
    return new Address(base, index, displacement);
  }

  /** The code so far. */
  byte[] code() {
    return Arrays.copyOf(bytes, size);
  }

  /** How long it is. */
  int size() {
    return size;
  }

  // Jumps.

  /** Fills up to a multiple of 64 bytes with instructions that do nothing: for the head of a loop. */
  void align() {
    int left = -size & 63;
    while (left > 0) {
      int length = Math.min(left, NOTHING.length);
      for (byte part : NOTHING[length - 1]) {
        put(part);
      }
      left -= length;
    }
  }

  void bind(Label label) {
    label.position = size;
    for (int jump : label.jumps) {
      patch(jump, size - (jump + Integer.BYTES));
    }
    label.jumps.clear();
  }

  void jump(Label to) {
    put(0xe9);
    distance(to);
  }

  void jump(Condition condition, Label to) {
    put(0x0f, 0x80 + condition.code);
    distance(to);
  }

  private void distance(Label to) {
    if (to.position < 0) {
      to.jumps.add(size);
      put32(0);
    } else {
      put32(to.position - (size + Integer.BYTES));
    }
  }

  private void patch(int at, int value) {
    for (int i = 0; i < Integer.BYTES; i++) {
      bytes[at + i] = (byte) (value >> 8 * i);
    }
  }

  // General registers.

  void push(int register) {
    rexIfHigh(register);
    put(0x50 + (register & 7));
  }

  void pop(int register) {
    rexIfHigh(register);
    put(0x58 + (register & 7));
  }

  void mov(int to, int from) {
    general(0x89, from, to);
  }

  /** Sets all 64 bits. */
  void movImmediate(int to, long value) {
    if (value == (int) value && value >= 0) {
      rexIfHigh(to);
      put(0xb8 + (to & 7));
      put32((int) value);
    } else {
      put(0x48 | to >> 3, 0xb8 + (to & 7));
      put32((int) value);
      put32((int) (value >> 32));
    }
  }

  void load(int to, Address from) {
    general(0x8b, to, from);
  }

  void store(Address to, int from) {
    general(0x89, from, to);
  }

  void lea(int to, Address from) {
    general(0x8d, to, from);
  }

  void add(int to, int from) {
    general(0x01, from, to);
  }

  void add(int to, Address from) {
    general(0x03, to, from);
  }

  void addImmediate(int to, int value) {
    immediate(0, to, value);
  }

  void addImmediate(Address to, int value) {
    rex(0, to.index, to.base);
    put(0x81);
    memory(0, to, 1);
    put32(value);
  }

  void subImmediate(Address to, int value) {
    rex(0, to.index, to.base);
    put(0x81);
    memory(5, to, 1);
    put32(value);
  }

  void andImmediate(int to, int value) {
    immediate(4, to, value);
  }

  void sub(int to, int from) {
    general(0x29, from, to);
  }

  void subImmediate(int to, int value) {
    immediate(5, to, value);
  }

  void cmp(int left, int right) {
    general(0x39, right, left);
  }

  void cmpImmediate(int left, int value) {
    immediate(7, left, value);
  }

  void test(int left, int right) {
    general(0x85, right, left);
  }

  void cmov(Condition condition, int to, int from) {
    rex(to, NONE, from);
    put(0x0f, 0x40 + condition.code);
    put(0xc0 | (to & 7) << 3 | from & 7);
  }

  /** {@code to = from * factor}. */
  void imul(int to, int from, int factor) {
    general(0x69, to, from);
    put32(factor);
  }

  void ret() {
    put(0xc3);
  }

  /** Jumps to the address in a register. */
  void jumpTo(int register) {
    rexIfHigh(register);
    put(0xff, 0xe0 | register & 7);
  }

  void prefetch(Address line) {
    if (line.base > 7 || line.index > 7) {
      put(0x40 | upper(line.index) << 1 | upper(line.base));
    }
    put(0x0f, 0x18);
    memory(1, line, 1);
  }

  private void immediate(int operation, int to, int value) {
    rex(0, NONE, to);
    put(0x81, 0xc0 | operation << 3 | to & 7);
    put32(value);
  }

  private void general(int opcode, int register, int other) {
    rex(register, NONE, other);
    put(opcode, 0xc0 | (register & 7) << 3 | other & 7);
  }

  private void general(int opcode, int register, Address address) {
    rex(register, address.index, address.base);
    put(opcode);
    memory(register, address, 1);
  }

  private void rex(int register, int index, int base) {
    put(0x48 | upper(register) << 2 | upper(index) << 1 | upper(base));
  }

  private void rexIfHigh(int register) {
    if (register > 7) {
      put(0x41);
    }
  }

  private static int upper(int register) {
    return register == NONE ? 0 : register >> 3 & 1;
  }

  // Vectors of 16 floats or ints, by the numbers of their registers, 0 to 31.

  void vload(int to, Address from) {
    vector(NO_PREFIX, MAP_0F, 0x10, to, 0, from, VECTOR);
  }

  void vmov(int to, int from) {
    vector(NO_PREFIX, MAP_0F, 0x10, to, 0, from);
  }

  void vstore(Address to, int from) {
    vector(NO_PREFIX, MAP_0F, 0x11, from, 0, to, VECTOR);
  }

  /** Stores the lanes of a mask; the other floats of memory stay, and need not be there. */
  void vstoreMasked(Address to, int mask, int from) {
    evex(NO_PREFIX, MAP_0F, from, 0, to.index, to.base, false, mask);
    put(0x11);
    memory(from, to, VECTOR);
  }

  /** One float to all lanes. */
  void vbroadcast(int to, Address from) {
    vector(PREFIX_66, MAP_0F38, 0x18, to, 0, from, Float.BYTES);
  }

  /** One float to the lanes of a mask; the others stay. */
  void vbroadcastMasked(int to, int mask, Address from) {
    evex(PREFIX_66, MAP_0F38, to, 0, from.index, from.base, false, mask);
    put(0x18);
    memory(to, from, Float.BYTES);
  }

  /** The lower half of a general register to all lanes. */
  void vbroadcastInt(int to, int from) {
    vector(PREFIX_66, MAP_0F38, 0x7c, to, 0, from);
  }

  void vzero(int to) {
    vector(PREFIX_66, MAP_0F, 0xef, to, to, to);
  }

  /** {@code to = a * b + to}, rounded once. */
  void vfma(int to, int a, int b) {
    vector(PREFIX_66, MAP_0F38, 0xb8, to, a, b);
  }

  void vfma(int to, int a, Address b) {
    vector(PREFIX_66, MAP_0F38, 0xb8, to, a, b, VECTOR);
  }

  /** {@code to = a * } one float of memory {@code + to}, rounded once. */
  void vfmaBroadcast(int to, int a, Address b) {
    evex(PREFIX_66, MAP_0F38, to, a, b.index, b.base, true, 0);
    put(0xb8);
    memory(to, b, Float.BYTES);
  }

  void vmul(int to, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0x59, to, a, b);
  }

  /** {@code to = a * } one float of memory. */
  void vmulBroadcast(int to, int a, Address b) {
    evex(NO_PREFIX, MAP_0F, to, a, b.index, b.base, true, 0);
    put(0x59);
    memory(to, b, Float.BYTES);
  }

  void vmul(int to, int a, Address b) {
    vector(NO_PREFIX, MAP_0F, 0x59, to, a, b, VECTOR);
  }

  void vadd(int to, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0x58, to, a, b);
  }

  void vadd(int to, int a, Address b) {
    vector(NO_PREFIX, MAP_0F, 0x58, to, a, b, VECTOR);
  }

  void vsub(int to, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0x5c, to, a, b);
  }

  /** {@code a < b ? a : b}. */
  void vmin(int to, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0x5d, to, a, b);
  }

  /** {@code a > b ? a : b}. */
  void vmax(int to, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0x5f, to, a, b);
  }

  /** {@code to = to * a + b}, rounded once. */
  void vfmaTo(int to, int a, int b) {
    vector(PREFIX_66, MAP_0F38, 0xa8, to, a, b);
  }

  void vaddInts(int to, int a, int b) {
    vector(PREFIX_66, MAP_0F, 0xfe, to, a, b);
  }

  /** Within each 4 lanes, by pairs of bits. */
  void vpermuteInFours(int to, int from, int lanes) {
    vector(PREFIX_66, MAP_0F3A, 0x04, to, 0, from);
    put(lanes);
  }

  /** The lanes where {@code a} and {@code b} are not equal. */
  void vnotEqual(int mask, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0xc2, mask, a, b);
    put(4);
  }

  /** The lanes where {@code a} is not less than {@code b}. */
  void vnotLess(int mask, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0xc2, mask, a, b);
    put(5);
  }

  /** The lanes where {@code a} is greater than {@code b}, or equal; none that is no number. */
  void vatLeast(int mask, int a, int b) {
    vector(NO_PREFIX, MAP_0F, 0xc2, mask, a, b);
    put(13);
  }

  /** Copies the lanes of a mask; the others become 0. */
  void vkeep(int to, int mask, int from) {
    evex(NO_PREFIX, MAP_0F, to, 0, from >> 4 == 0 ? NONE : 8, from & 15, false, mask, true);
    put(0x10, 0xc0 | (to & 7) << 3 | from & 7);
  }

  /** The lanes of a mask, one beside the other from lane 0 on; the rest becomes 0. */
  void vcompress(int to, int mask, int from) {
    evex(PREFIX_66, MAP_0F38, from, 0, to >> 4 == 0 ? NONE : 8, to & 15, false, mask, true);
    put(0x8a, 0xc0 | (from & 7) << 3 | to & 7);
  }

  void vand(int to, int a, int b) {
    vector(PREFIX_66, MAP_0F, 0xdb, to, a, b);
  }

  void vand(int to, int a, Address b) {
    vector(PREFIX_66, MAP_0F, 0xdb, to, a, b, VECTOR);
  }

  void vshiftLeft(int to, int from, int bits) {
    vector(PREFIX_66, MAP_0F, 0x72, 6, to, from);
    put(bits);
  }

  void vshiftLeft(int to, Address from, int bits) {
    vector(PREFIX_66, MAP_0F, 0x72, 6, to, from, VECTOR);
    put(bits);
  }

  void vshiftRight(int to, int from, int bits) {
    vector(PREFIX_66, MAP_0F, 0x72, 2, to, from);
    put(bits);
  }

  /** The sign comes in from above. */
  void vshiftRightSigned(int to, int from, int bits) {
    vector(PREFIX_66, MAP_0F, 0x72, 4, to, from);
    put(bits);
  }

  void vshiftRightSigned(int to, Address from, int bits) {
    vector(PREFIX_66, MAP_0F, 0x72, 4, to, from, VECTOR);
    put(bits);
  }

  /** 16 signed bytes to ints. */
  void vbytesToInts(int to, Address from) {
    vector(PREFIX_66, MAP_0F38, 0x21, to, 0, from, 16);
  }

  /** 16 unsigned bytes to ints. */
  void vunsignedBytesToInts(int to, Address from) {
    vector(PREFIX_66, MAP_0F38, 0x31, to, 0, from, 16);
  }

  /** 16 unsigned shorts to ints. */
  void vunsignedShortsToInts(int to, Address from) {
    vector(PREFIX_66, MAP_0F38, 0x33, to, 0, from, 32);
  }

  /** 16 binary16 values to floats, exactly. */
  void vhalvesToFloats(int to, Address from) {
    vector(PREFIX_66, MAP_0F38, 0x13, to, 0, from, 32);
  }

  void vintsToFloats(int to, int from) {
    vector(NO_PREFIX, MAP_0F, 0x5b, to, 0, from);
  }

  /** Lane i becomes lane {@code index[i] mod 16} of {@code from}. */
  void vpermute(int to, int index, int from) {
    vector(PREFIX_66, MAP_0F38, 0x16, to, index, from);
  }

  /** In each 4 lanes: two of {@code a}, then two of {@code b}, by pairs of bits. */
  void vshuffle(int to, int a, int b, int lanes) {
    vector(NO_PREFIX, MAP_0F, 0xc6, to, a, b);
    put(lanes);
  }

  /** The same with blocks of 4 lanes. */
  void vshuffleBlocks(int to, int a, int b, int blocks) {
    vector(PREFIX_66, MAP_0F3A, 0x23, to, a, b);
    put(blocks);
  }

  /** Brings the upper halves of all vector registers out of the way of older instructions. */
  void vzeroupper() {
    put(0xc5, 0xf8, 0x77);
  }

  /** The lower 16 bits of one of the first eight general registers to a mask. */
  void kmov(int mask, int from) {
    put(0xc5, 0xf8, 0x92, 0xc0 | mask << 3 | from);
  }

  /** Sets the condition "equal" if a mask is empty. */
  void kortest(int mask) {
    put(0xc5, 0xf8, 0x98, 0xc0 | mask << 3 | mask);
  }

  private void vector(int prefix, int map, int opcode, int register, int second, int other) {
    evex(prefix, map, register, second, other >> 4 == 0 ? NONE : 8, other & 15, false, 0);
    put(opcode, 0xc0 | (register & 7) << 3 | other & 7);
  }

  private void vector(
      int prefix, int map, int opcode, int register, int second, Address address, int unit) {
    evex(prefix, map, register, second, address.index, address.base, false, 0);
    put(opcode);
    memory(register, address, unit);
  }

  /** A register as last operand has bit 3 where a base has it, and bit 4 where an index has bit 3. */
  private void evex(
      int prefix,
      int map,
      int register,
      int second,
      int index,
      int base,
      boolean broadcast,
      int mask) {
    evex(prefix, map, register, second, index, base, broadcast, mask, false);
  }

  private void evex(
      int prefix,
      int map,
      int register,
      int second,
      int index,
      int base,
      boolean broadcast,
      int mask,
      boolean zero) {
    put(0x62);
    put(
        (~register >> 3 & 1) << 7
            | (1 - upper(index)) << 6
            | (1 - upper(base)) << 5
            | (~register >> 4 & 1) << 4
            | map);
    put((~second & 15) << 3 | 4 | prefix);
    put((zero ? 1 << 7 : 0) | 2 << 5 | (broadcast ? 1 << 4 : 0) | (~second >> 4 & 1) << 3 | mask);
  }

  /** ModRM, SIB and displacement. */
  private void memory(int register, Address address, int unit) {
    int base = address.base & 7;
    int displacement = address.displacement;
    boolean small = displacement % unit == 0 && displacement / unit == (byte) (displacement / unit);
    int mode = displacement == 0 && base != 5 ? 0 : small ? 1 : 2;
    if (address.index == NONE && base != 4) {
      put(mode << 6 | (register & 7) << 3 | base);
    } else {
      put(mode << 6 | (register & 7) << 3 | 4);
      put((address.index == NONE ? 4 : address.index & 7) << 3 | base);
    }
    if (mode == 1) {
      put(displacement / unit);
    } else if (mode == 2) {
      put32(displacement);
    }
  }

  private void put(int... values) {
    if (size + values.length > bytes.length) {
      bytes = Arrays.copyOf(bytes, 2 * bytes.length);
    }
    for (int value : values) {
      bytes[size++] = (byte) value;
    }
  }

  private void put32(int value) {
    put(value, value >> 8, value >> 16, value >> 24);
  }
}
