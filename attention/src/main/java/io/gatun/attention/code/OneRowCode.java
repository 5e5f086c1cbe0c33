package io.gatun.attention.code;

import static io.gatun.attention.code.Assembler.R8;
import static io.gatun.attention.code.Assembler.RCX;
import static io.gatun.attention.code.Assembler.at;

import io.gatun.attention.code.Assembler.Address;
import io.gatun.cache.KvType;
import java.util.function.IntFunction;

/**
 * Writes the dot products of 4 keys with one query row, as the middle of a loop over keys, in the
 * order of {@link DotCode}.
 *
 * <pre>
 *   r8    lines to ask for
 *   zmm0 to 3  sums [key]     zmm16, 17  the query row     zmm24 to 27  levels [key]
 * </pre>
 */
final class OneRowCode {
  private static final int KEYS = 4;
  private static final int QUERY = 16;
  private static final int SCALED_LEVELS = 24;
  private static final int RAW = 28;
  private static final int KEY = 29;

  private final Assembler a;
  private final Decoder decoder;
  private final KvType type;
  private final Address query;

  /**
   * Will write it.
   *
   * @param query where the query row lies
   */
  OneRowCode(Assembler a, RowCode keys, Address query) {
    this.a = a;
    this.decoder = new Decoder(keys);
    this.type = keys.type();
    this.query = query;
  }

  /**
   * Writes the scores to zmm0, in the places of all rows; overwrites rcx.
   *
   * @param key where each of the 4 keys lies
   * @param scale where each one's scales lie
   * @param lines to ask for meanwhile
   */
  void write(IntFunction<Address> key, IntFunction<Address> scale, int lines) {
    dots(key, scale, lines);
    sums();
    if (type == KvType.F16) {
      // What the query's scale has left of 2^112.
      a.movImmediate(RCX, Float.floatToRawIntBits(0x1p16f));
      a.vbroadcastInt(KEY, RCX);
      a.vmul(0, 0, KEY);
    }
  }

  private void dots(IntFunction<Address> key, IntFunction<Address> scale, int lines) {
    int vectors = decoder.vectors();
    int places = Math.ceilDiv(vectors, 2) * KEYS;
    int asked = 0;
    int place = 0;
    for (int v = 0; v < vectors; v += 2) {
      int pair = Math.min(2, vectors - v);
      for (int i = 0; i < pair; i++) {
        a.vload(QUERY + i, query.plus((v + i) * Decoder.BYTES));
      }
      for (int token = 0; token < KEYS; token++) {
        for (int i = 0; i < pair; i++) {
          decoder.loadScaled(
              a, v + i, key.apply(token), scale.apply(token), KEY, RAW, SCALED_LEVELS + token);
          if (v + i == 0) {
            // As if added to 0; only the sign of a sum of zeros can differ, and shows nowhere.
            a.vmul(token, QUERY, KEY);
          } else {
            a.vfma(token, QUERY + i, KEY);
          }
        }
        place++;
        for (; asked < lines * place / places; asked++) {
          a.prefetch(at(R8, asked * Decoder.BYTES));
        }
      }
    }
  }

  private void sums() {
    pairs(0, 1);
    pairs(2, 3);
    pairs(0, 2);
    a.vshuffleBlocks(KEY, 0, 0, 0xb1);
    a.vadd(0, 0, KEY);
    a.vshuffleBlocks(KEY, 0, 0, 0x4e);
    a.vadd(0, 0, KEY);
  }

  /** Adds neighbours: {@code to} becomes {@code [a0 + a1, a2 + a3, b0 + b1, b2 + b3]} of each 4. */
  private void pairs(int to, int other) {
    a.vshuffle(KEY, to, other, 0x88);
    a.vshuffle(to, to, other, 0xdd);
    a.vadd(to, KEY, to);
  }
}
