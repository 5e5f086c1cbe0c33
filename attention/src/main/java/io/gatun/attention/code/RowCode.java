package io.gatun.attention.code;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import io.gatun.cache.KvType;

/**
 * How stored rows lie in memory.
 *
 * @param dim values of a row
 * @param rowBytes from one row to the next
 * @param scaleBytes from the scales of one row to those of the next; 0 for the types without scales
 */
public record RowCode(KvType type, int dim, int rowBytes, int scaleBytes) {
  /** Tokens that scales are asked for ahead of their use: few bytes, so early enough is enough. */
  private static final int SCALES_AHEAD = 64;

  /** The same rows as floats, in the order in which vectors are met, without gaps. */
  RowCode widened() {
    int vectors = new Decoder(this).vectors();
    return new RowCode(KvType.F32, vectors * Decoder.LANES, vectors * Decoder.BYTES, 0);
  }

  /** Asks for scales to come, where there are any; behind the last ones of a run, for nothing. */
  void askForScales(Assembler a, int scales) {
    if (scaleBytes != 0) {
      a.prefetch(Assembler.at(scales, SCALES_AHEAD * scaleBytes));
    }
  }

  /**
   * Moves the address of what is asked for on by some bytes; at the end of its stretch, to the next
   * one.
   */
  static void goOnAsking(Assembler a, int address, int end, int bytes, Field next, Field nextEnd) {
    Label there = new Label();
    a.addImmediate(address, bytes);
    a.cmp(address, end);
    a.jump(Condition.BELOW, there);
    a.load(address, Call.at(Frame.CALL, next));
    a.load(end, Call.at(Frame.CALL, nextEnd));
    a.bind(there);
  }
}
