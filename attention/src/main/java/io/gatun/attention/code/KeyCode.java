package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R10;
import static io.gatun.attention.code.Assembler.R11;
import static io.gatun.attention.code.Assembler.R12;
import static io.gatun.attention.code.Assembler.R13;
import static io.gatun.attention.code.Assembler.R14;
import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.R9;
import static io.gatun.attention.code.Assembler.RAX;
import static io.gatun.attention.code.Assembler.RBX;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.RDI;
import static io.gatun.attention.code.Assembler.RDX;
import static io.gatun.attention.code.Assembler.RSI;
import static io.gatun.attention.code.Assembler.RSP;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import io.gatun.cache.KvType;

/**
 * Writes the loop of the scores: 4 tokens at a time against 4 query rows, or 1, 16 dot products side
 * by side, and their sums over lanes formed together.
 *
 * <pre>
 *   rdi   the first of 4 keys         rax, rbx, rsi   from there to the last ones
 *   rdx   its scales                  r12, r13, r14   from there to the last ones'
 *   r9    scores [token / 4][4][4]    r10             tokens to come
 *   r8    lines to ask for            r11             their end
 *   rsp   after a vector of scratch: query rows [rows][vectors][16], at whole cache lines
 *   zmm0  to 15  sums [row][token]    zmm16 to 23  query [2][row]    zmm24 to 27  levels [token]
 * </pre>
 */
final class KeyCode {
  /** Tokens that are taken in at a time. */
  private static final int TOKENS = 4;

  /** Where the query rows lie in the scratch: the values' loop and the softmax use its beginning. */
  private static final int QUERY_AT = ValueCode.scratch();

  private static final int QUERIES = 16;
  private static final int SCALED_LEVELS = 24;
  private static final int RAW = 28;
  private static final int KEY = 29;

  private final Assembler a;
  private final Decoder decoder;
  private final RowCode keys;
  private final int rows;

  /** How many kernels share the asking for what comes next, each doing its part. */
  private final int sharers;

  /** Where the query rows lie. */
  private final Address query;

  /** Whether the keys are a copy, as floats, of whole groups of 4, for many query rows. */
  private final boolean widened;

  /** The middle of the loop for two blocks of rows; null for one block, or one row. */
  private final KeyCodeOfTwo ofTwo;

  /**
   * Will write the code for keys of this format.
   *
   * @param rows query rows that count, 1 or 4
   * @param sharers how many calls for the same keys share the asking for those to come
   */
  KeyCode(Assembler a, RowCode keys, int rows, int sharers) {
    this(a, keys, rows, sharers, at(RSP, QUERY_AT), false, null);
  }

  private KeyCode(
      Assembler a,
      RowCode keys,
      int rows,
      int sharers,
      Address query,
      boolean widened,
      KeyCodeOfTwo ofTwo) {
    this.a = a;
    this.decoder = new Decoder(keys);
    this.keys = keys;
    this.rows = rows;
    this.sharers = sharers;
    this.query = query;
    this.widened = widened;
    this.ofTwo = ofTwo;
  }

  /**
   * Will write the code for whole groups of 4 keys and two blocks of 4 query rows.
   *
   * @param blockScoreBytes from the scores of the first block to those of the second
   */
  static KeyCode ofTwo(Assembler a, RowCode keys, int blockScoreBytes) {
    Address query = at(RSP, QUERY_AT);
    KeyCodeOfTwo group = new KeyCodeOfTwo(a, keys, query, blockScoreBytes);
    return new KeyCode(a, keys, KeyCodeOfTwo.ROWS, 1, query, false, group);
  }

  /**
   * Will write the middle of the loop for keys that were made floats, in the order in which they are
   * met, against 4 query rows.
   *
   * @param query where these lie
   */
  static KeyCode ofWidened(Assembler a, RowCode keys, Address query) {
    return new KeyCode(a, keys, 4, 1, query, true, null);
  }

  /** Bytes of scratch it needs at rsp. */
  int scratch() {
    return QUERY_AT + rows * decoder.vectors() * Decoder.BYTES;
  }

  /** Writes what the loop needs once: it may then be run several times. */
  void writeBeginning() {
    copyQuery();
  }

  /** Writes the loop. */
  void write() {
    decoder.constants(a);
    a.load(RDI, Frame.KEYS);
    a.mov(RDX, RDI);
    a.add(RDI, Call.at(Frame.CALL, Field.KEY));
    a.add(RDX, Call.at(Frame.CALL, Field.KEY_SCALES));
    a.load(R9, Frame.SCORES);
    a.add(R9, Call.at(Frame.CALL, Field.SCORES));
    a.load(R10, Call.at(Frame.CALL, Field.TOKENS));
    a.load(R8, Call.at(Frame.CALL, Field.KEY_AHEAD));
    a.load(R11, Call.at(Frame.CALL, Field.KEY_AHEAD_END));
    Label next = new Label();
    Label last = new Label();
    Label end = new Label();
    a.align();
    a.bind(next);
    a.subImmediate(R10, TOKENS);
    a.jump(Condition.BELOW, last);
    writeGroup(keys.type(), false);
    a.addImmediate(RDI, TOKENS * keys.rowBytes());
    a.addImmediate(RDX, TOKENS * keys.scaleBytes());
    a.addImmediate(R9, Decoder.BYTES);
    RowCode.goOnAsking(
        a, R8, R11, lines() * Decoder.BYTES, Field.KEY_AHEAD_NEXT, Field.KEY_AHEAD_NEXT_END);
    a.jump(next);
    a.bind(last);
    if (ofTwo == null) {
      a.addImmediate(R10, TOKENS);
      a.jump(Condition.EQUAL, end);
      distances();
      writeGroup(keys.type(), true);
    }
    a.bind(end);
    a.store(Call.at(Frame.CALL, Field.KEY_AHEAD), R8);
    a.store(Call.at(Frame.CALL, Field.KEY_AHEAD_END), R11);
  }

  /**
   * Writes the middle of the loop: the scores of 4 tokens, from rdi on, to r9.
   *
   * @param type of the keys as they are stored
   */
  void writeGroup(KvType type) {
    writeGroup(type, false);
  }

  private void writeGroup(KvType type, boolean last) {
    if (ofTwo != null) {
      ofTwo.writeGroup(lines());
      return;
    }
    dots(last);
    if (rows == 1) {
      sumsOfOne();
    } else {
      sums();
    }
    if (type == KvType.F16) {
      // What the query's scale has left of 2^112.
      int free = widened ? RSI : RCX;
      a.movImmediate(free, Float.floatToRawIntBits(0x1p16f));
      a.vbroadcastInt(KEY, free);
      a.vmul(0, 0, KEY);
    }
    a.vstore(at(R9, 0), 0);
  }

  /** Query rows are read for every 4 tokens; in a heap array each vector lies in two cache lines. */
  private void copyQuery() {
    a.load(RCX, Frame.QUERY);
    a.add(RCX, Call.at(Frame.CALL, Field.QUERY));
    for (int i = 0; i < rows * decoder.vectors(); i++) {
      a.vload(QUERIES + i % 8, at(RCX, i * Decoder.BYTES));
      a.vstore(query.plus(i * Decoder.BYTES), QUERIES + i % 8);
    }
  }

  /** From the first of the last tokens to the others; the last one stands for those missing of 4. */
  private void distances() {
    distances(keys.rowBytes(), RAX, RBX, RSI);
    if (keys.scaleBytes() != 0) {
      distances(keys.scaleBytes(), R12, R13, R14);
    }
  }

  private void distances(int bytes, int... registers) {
    a.lea(RCX, at(R10, -1));
    a.imul(RCX, RCX, bytes);
    for (int i = 0; i < registers.length; i++) {
      a.movImmediate(registers[i], (i + 1L) * bytes);
      a.cmp(registers[i], RCX);
      a.cmov(Condition.ABOVE, registers[i], RCX);
    }
  }

  private Address key(int token, boolean last) {
    if (!last) {
      return at(RDI, token * keys.rowBytes());
    }
    return switch (token) {
      case 0 -> at(RDI, 0);
      case 1 -> at(RDI, RAX, 0);
      case 2 -> at(RDI, RBX, 0);
      default -> at(RDI, RSI, 0);
    };
  }

  private Address scale(int token, int group, boolean last) {
    int from = group * KvType.SCALE_BYTES;
    if (!last) {
      return at(RDX, token * keys.scaleBytes() + from);
    }
    return switch (token) {
      case 0 -> at(RDX, from);
      case 1 -> at(RDX, R12, from);
      case 2 -> at(RDX, R13, from);
      default -> at(RDX, R14, from);
    };
  }

  /** Cache lines to ask for with every 4 tokens. */
  private int lines() {
    return Math.ceilDiv(TOKENS * keys.rowBytes(), Decoder.BYTES * sharers);
  }

  /** Dot products of 4 tokens, or with {@code last} of the last ones, fewer than 4. */
  private void dots(boolean last) {
    keys.askForScales(a, RDX);
    int vectors = decoder.vectors();
    int lines = widened ? 0 : lines();
    int places = Math.ceilDiv(vectors, 2) * TOKENS;
    int asked = 0;
    int place = 0;
    for (int v = 0; v < vectors; v += 2) {
      int pair = Math.min(2, vectors - v);
      if (keys.type().bits() == 4 && v % Decoder.vectorsOfGroup() == 0) {
        for (int token = 0; token < TOKENS; token++) {
          Address scale = scale(token, v / Decoder.vectorsOfGroup(), last);
          a.vmulBroadcast(SCALED_LEVELS + token, Decoder.LEVELS, scale);
        }
      }
      for (int i = 0; i < pair * rows; i++) {
        int from = (i % rows * vectors + v + i / rows) * Decoder.BYTES;
        a.vload(QUERIES + i, query.plus(from));
      }
      for (int token = 0; token < TOKENS; token++) {
        for (int i = 0; i < pair; i++) {
          decoder.load(a, v + i, key(token, last), KEY, RAW, SCALED_LEVELS + token);
          if (keys.type().bits() == 8) {
            a.vmulBroadcast(KEY, KEY, scale(token, v / Decoder.vectorsOfGroup(), last));
          }
          for (int row = 0; row < rows; row++) {
            int sum = row * TOKENS + token;
            if (v + i == 0) {
              // As if added to 0; only the sign of a sum of zeros can differ, and shows nowhere.
              a.vmul(sum, QUERIES + row, KEY);
            } else {
              a.vfma(sum, QUERIES + i * rows + row, KEY);
            }
          }
        }
        // Lines are asked for as evenly as can be: a burst would hold up what comes after it.
        place++;
        for (; asked < lines * place / places; asked++) {
          a.prefetch(at(R8, asked * Decoder.BYTES));
        }
      }
    }
  }

  /**
   * Lane numbers that differ in bit 0 are added first, then those that differ in bit 1, 2, 3: four
   * dot products of one row become a vector, and four rows' vectors one of {@code [row][token]}.
   */
  private void sums() {
    for (int row = 0; row < 4; row++) {
      int first = row * TOKENS;
      pairs(first, first + 1);
      pairs(first + 2, first + 3);
      pairs(first, first + 2);
    }
    blocks(0, 4);
    blocks(8, 12);
    blocks(0, 8);
  }

  /** Adds neighbours: {@code to} becomes {@code [a0 + a1, a2 + a3, b0 + b1, b2 + b3]} of each 4. */
  private void pairs(int to, int other) {
    a.vshuffle(KEY, to, other, 0x88);
    a.vshuffle(to, to, other, 0xdd);
    a.vadd(to, KEY, to);
  }

  /** The same with blocks of 4 lanes. */
  private void blocks(int to, int other) {
    a.vshuffleBlocks(KEY, to, other, 0x88);
    a.vshuffleBlocks(to, to, other, 0xdd);
    a.vadd(to, KEY, to);
  }

  /** The one row's scores, in the places of all rows. */
  private void sumsOfOne() {
    pairs(0, 1);
    pairs(2, 3);
    pairs(0, 2);
    a.vshuffleBlocks(KEY, 0, 0, 0xb1);
    a.vadd(0, 0, KEY);
    a.vshuffleBlocks(KEY, 0, 0, 0x4e);
    a.vadd(0, 0, KEY);
  }
}
