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

  /** Asks for scales to come, where there are any; behind the last ones of a run, for nothing. */
  void askForScales(Assembler a, int scales) {
    if (scaleBytes != 0) {
      a.prefetch(Assembler.at(scales, SCALES_AHEAD * scaleBytes));
    }
  }

  /**
   * Moves the address of the rows to ask for on by so many tokens; behind the last one of its stretch
   * to the next stretch, at whose last it stays.
   */
  void goOnAsking(Assembler a, int row, int last, int tokens, Field next, Field nextLast) {
    Label there = new Label();
    a.addImmediate(row, tokens * rowBytes);
    a.cmp(row, last);
    a.jump(Condition.BELOW_OR_EQUAL, there);
    a.load(row, Call.at(Frame.CALL, next));
    a.load(last, Call.at(Frame.CALL, nextLast));
    a.bind(there);
  }
}
