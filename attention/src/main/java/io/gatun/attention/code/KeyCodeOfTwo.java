package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.cache.KvType;

/**
 * Writes the middle of the loop of the scores for two blocks of 4 query rows: keys become floats
 * once for both. 2 tokens meet 8 rows, their dot products wait as half-formed sums, and the next 2
 * follow; every sum is formed in the order that {@link KeyCode} has.
 *
 * <pre>
 *   zmm0 to 15   sums [row][token 2]     zmm16 to 23  half-formed sums of the first 2 tokens [row]
 *   zmm24        a query row             zmm25, 26    keys [token 2]
 *   zmm27, 29    levels [token 2]        zmm28, 31    what stored rows share [token 2]
 * </pre>
 *
 * <p>The rest as in {@link KeyCode}.
 */
final class KeyCodeOfTwo {
  /** Query rows. */
  static final int ROWS = 8;

  private static final int BLOCK_ROWS = 4;

  /** Tokens of a vector of scores, and those that are taken in at a time. */
  private static final int TOKENS = 4;

  private static final int PAIR = 2;
  private static final int HALF_FORMED = 16;
  private static final int QUERY = 24;
  private static final int KEY = 25;

  private final Assembler a;
  private final Decoder decoder;
  private final RowCode keys;
  private final Address query;
  private final int blockScoreBytes;

  /** Registers of levels, and of what an even and an odd vector share, for each of 2 tokens. */
  private final int[] levels = {27, 29};

  private final int[] raw;

  /**
   * Will write it.
   *
   * @param query where the query rows lie
   * @param blockScoreBytes from the scores of the first block to those of the second
   */
  KeyCodeOfTwo(Assembler a, RowCode keys, Address query, int blockScoreBytes) {
    this.a = a;
    this.decoder = new Decoder(keys);
    this.keys = keys;
    this.query = query;
    this.blockScoreBytes = blockScoreBytes;
    // Types of 16 bits have a constant in the last register, but no levels.
    this.raw = keys.type().bits() == 16 ? levels : new int[] {28, 31};
  }

  /**
   * Writes the scores of the 4 tokens from rdi on, to r9.
   *
   * @param lines that are asked for
   */
  void writeGroup(int lines) {
    keys.askForScales(a, RDX);
    dots(0, 0, lines / 2);
    for (int row = 0; row < ROWS; row++) {
      pairs(HALF_FORMED + row, PAIR * row, PAIR * row + 1);
    }
    dots(PAIR, lines / 2, lines);
    for (int row = 0; row < ROWS; row++) {
      pairs(PAIR * row, PAIR * row, PAIR * row + 1);
      pairs(row, HALF_FORMED + row, PAIR * row);
    }
    if (keys.type() == KvType.F16) {
      // What the query's scale has left of 2^112.
      a.movImmediate(RCX, Float.floatToRawIntBits(0x1p16f));
      a.vbroadcastInt(KEY, RCX);
    }
    for (int block = 0; block < ROWS / BLOCK_ROWS; block++) {
      int row = block * BLOCK_ROWS;
      blocks(row, row + 1);
      blocks(row + 2, row + 3);
      blocks(row, row + 2);
      if (keys.type() == KvType.F16) {
        a.vmul(row, row, KEY);
      }
      a.vstore(at(R9, block * blockScoreBytes), row);
    }
  }

  /** Dot products of 2 tokens; lines from one number to another are asked for meanwhile. */
  private void dots(int first, int fromLine, int toLine) {
    int vectors = decoder.vectors();
    int asked = fromLine;
    for (int v = 0; v < vectors; v++) {
      int group = v / Decoder.vectorsOfGroup();
      for (int i = 0; i < PAIR; i++) {
        Address scale = at(RDX, (first + i) * keys.scaleBytes() + group * KvType.SCALE_BYTES);
        if (keys.type().bits() == 4 && v % Decoder.vectorsOfGroup() == 0) {
          a.vmulBroadcast(levels[i], Decoder.LEVELS, scale);
        }
        decoder.load(a, v, at(RDI, (first + i) * keys.rowBytes()), KEY + i, raw[i], levels[i]);
        if (keys.type().bits() == 8) {
          a.vmulBroadcast(KEY + i, KEY + i, scale);
        }
      }
      for (int row = 0; row < ROWS; row++) {
        a.vload(QUERY, query.plus((row * vectors + v) * Decoder.BYTES));
        for (int i = 0; i < PAIR; i++) {
          if (v == 0) {
            a.vmul(PAIR * row + i, QUERY, KEY + i);
          } else {
            a.vfma(PAIR * row + i, QUERY, KEY + i);
          }
        }
      }
      for (; asked < fromLine + (toLine - fromLine) * (v + 1) / vectors; asked++) {
        a.prefetch(at(R8, asked * Decoder.BYTES));
      }
    }
  }

  /** Adds neighbours: {@code [a0 + a1, a2 + a3, b0 + b1, b2 + b3]} of each 4; {@code one} is lost. */
  private void pairs(int to, int one, int other) {
    a.vshuffle(QUERY, one, other, 0x88);
    a.vshuffle(one, one, other, 0xdd);
    a.vadd(to, QUERY, one);
  }

  /** The same with blocks of 4 lanes. */
  private void blocks(int to, int other) {
    a.vshuffleBlocks(QUERY, to, other, 0x88);
    a.vshuffleBlocks(to, to, other, 0xdd);
    a.vadd(to, QUERY, to);
  }
}
