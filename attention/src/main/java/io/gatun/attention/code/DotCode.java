package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.cache.KvType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/**
 * Writes the dot products of 4 keys with 4 query rows or fewer, as the middle of a loop over keys. Their sums
 * over lanes are 45 operations that wait for each other; alone they would take as long as 90
 * multiply-adds. So 2 keys are taken in at a time, and the sums of the 2 before are formed between
 * their multiply-adds. A group's scores are complete, and stored, while the next one is worked on.
 *
 * <pre>
 *   r8    lines to ask for
 *   zmm0 to 7    sums of the first 2 keys [row][key]
 *   zmm8 to 15   sums of the other 2 [row][key]
 *   zmm16 to 19  half-formed sums of the first 2 [row]
 *   zmm20        a query row     zmm22, 23  keys     zmm24, 25  levels     zmm26, 27  what stored
 *   zmm28        a sum being formed                                      rows share
 * </pre>
 *
 * <p>Lane numbers that differ in bit 0 are added first, then those that differ in bit 1, 2, 3: two
 * keys' dot products with one row become a vector, two of these one of {@code [key 4]} in each 4
 * lanes, and four rows' vectors one of {@code [row][key]}.
 */
final class DotCode {
  private static final int ROWS = 4;
  private static final int PAIR = 2;
  private static final int FIRST_SUMS = 0;
  private static final int OTHER_SUMS = 8;
  private static final int HALF_FORMED = 16;
  private static final int QUERY = 20;
  private static final int KEY = 22;
  private static final int SCALED_LEVELS = 24;
  private static final int RAW = 26;
  private static final int FORMING = 28;
  private static final int F16_SCALE = 29;

  private final Assembler a;
  private final Decoder decoder;
  private final boolean half;
  private final boolean codes;
  private final int before;

  /**
   * Will write it.
   *
   * @param keys as they are read
   * @param stored the type that they are stored with
   * @param before a register for the address of the scores of the group before
   */
  DotCode(Assembler a, RowCode keys, KvType stored, int before) {
    this.a = a;
    this.decoder = new Decoder(keys);
    this.half = stored == KvType.F16;
    this.codes = keys.type().quantized();
    this.before = before;
  }

  /** Writes what comes before the first group; overwrites rax. Its sums are those of 4 rows. */
  void begin() {
    // Nothing was before it: what is formed of zeros goes where nobody looks.
    a.mov(before, RSP);
    for (int i = OTHER_SUMS; i < HALF_FORMED + ROWS; i++) {
      a.vzero(i);
    }
    if (half) {
      // What the query's scale has left of 2^112.
      a.movImmediate(RAX, Float.floatToRawIntBits(0x1p16f));
      a.vbroadcastInt(F16_SCALE, RAX);
    }
  }

  /**
   * Writes a group.
   *
   * @param rows query rows that count; the scores of others are 0
   * @param rowsBefore those of the group that comes before this one in the loop
   * @param query where the query rows lie {@code [rows][vectors][16]}
   * @param key where each of the 4 keys lies
   * @param scale where each one's scales lie
   * @param scores where the scores go {@code [row][key]}
   * @param fromLine the first line to ask for meanwhile
   * @param toLine the line before which to stop
   */
  void group(
      int rows,
      int rowsBefore,
      Address query,
      IntFunction<Address> key,
      IntFunction<Address> scale,
      Address scores,
      int fromLine,
      int toLine) {
    int middle = (fromLine + toLine) / 2;
    half(rows, FIRST_SUMS, 0, query, key, scale, formOther(rowsBefore), fromLine, middle);
    half(rows, OTHER_SUMS, PAIR, query, key, scale, formFirst(rows), middle, toLine);
    a.lea(before, scores);
  }

  /** Writes what comes behind the last group, which was of so many rows. */
  void end(int rows) {
    formOther(rows).forEach(Runnable::run);
  }

  /** What makes the first 2 keys' sums half-formed ones. */
  private List<Runnable> formFirst(int rows) {
    List<Runnable> all = new ArrayList<>();
    for (int row = 0; row < rows; row++) {
      int sum = FIRST_SUMS + PAIR * row;
      pairs(all, HALF_FORMED + row, sum, sum + 1);
    }
    for (int row = rows; row < ROWS; row++) {
      int none = HALF_FORMED + row;
      all.add(() -> a.vzero(none));
    }
    return all;
  }

  /** What makes of the other 2 keys' sums, and the half-formed ones, scores. */
  private List<Runnable> formOther(int rows) {
    List<Runnable> all = new ArrayList<>();
    for (int row = 0; row < rows; row++) {
      int sum = OTHER_SUMS + PAIR * row;
      pairs(all, sum, sum, sum + 1);
    }
    for (int row = 0; row < rows; row++) {
      pairs(all, HALF_FORMED + row, HALF_FORMED + row, OTHER_SUMS + PAIR * row);
    }
    blocks(all, HALF_FORMED, HALF_FORMED + 1);
    if (rows > 2) {
      blocks(all, HALF_FORMED + 2, HALF_FORMED + 3);
    }
    blocks(all, HALF_FORMED, HALF_FORMED + 2);
    if (half) {
      all.add(() -> a.vmul(HALF_FORMED, HALF_FORMED, F16_SCALE));
    }
    all.add(() -> a.vstore(at(before, 0), HALF_FORMED));
    return all;
  }

  /** Adds neighbours: {@code [a0 + a1, a2 + a3, b0 + b1, b2 + b3]} of each 4; {@code one} is lost. */
  private void pairs(List<Runnable> all, int to, int one, int other) {
    all.add(() -> a.vshuffle(FORMING, one, other, 0x88));
    all.add(() -> a.vshuffle(one, one, other, 0xdd));
    all.add(() -> a.vadd(to, FORMING, one));
  }

  /** The same with blocks of 4 lanes. */
  private void blocks(List<Runnable> all, int to, int other) {
    all.add(() -> a.vshuffleBlocks(FORMING, to, other, 0x88));
    all.add(() -> a.vshuffleBlocks(to, to, other, 0xdd));
    all.add(() -> a.vadd(to, FORMING, to));
  }

  /**
   * Dot products of 2 keys.
   *
   * @param between what is written evenly between them
   */
  private void half(
      int rows,
      int sums,
      int first,
      Address query,
      IntFunction<Address> key,
      IntFunction<Address> scale,
      List<Runnable> between,
      int fromLine,
      int toLine) {
    int vectors = decoder.vectors();
    int steps = vectors * rows;
    int step = 0;
    int done = 0;
    int asked = fromLine;
    for (int v = 0; v < vectors; v++) {
      for (int i = 0; i < PAIR; i++) {
        decoder.loadScaled(
            a,
            v,
            key.apply(first + i),
            scale.apply(first + i),
            KEY + i,
            RAW + i,
            SCALED_LEVELS + i);
      }
      for (int row = 0; row < rows; row++) {
        Address from = query.plus((row * vectors + v) * Decoder.BYTES);
        // Folding the load into both of its uses saves an instruction; all of them would be more
        // loads than there are places to do them, but for codes, with which there is more to
        // compute.
        boolean folded = v > 0 && (row % 2 == 0 || codes);
        if (!folded) {
          a.vload(QUERY, from);
        }
        for (int i = 0; i < PAIR; i++) {
          int sum = sums + PAIR * row + i;
          if (v == 0) {
            // As if added to 0; only the sign of a sum of zeros can differ, and shows nowhere.
            a.vmul(sum, QUERY, KEY + i);
          } else if (folded) {
            a.vfma(sum, KEY + i, from);
          } else {
            a.vfma(sum, QUERY, KEY + i);
          }
        }
        step++;
        for (; done < between.size() * step / steps; done++) {
          between.get(done).run();
        }
        // Lines are asked for as evenly as can be: a burst would hold up what comes after it.
        for (; asked < fromLine + (toLine - fromLine) * step / steps; asked++) {
          a.prefetch(at(R8, asked * Decoder.BYTES));
        }
      }
    }
  }
}
