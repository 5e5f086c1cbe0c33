package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Call.Field;
import io.gatun.attention.code.MachineCode;
import io.gatun.attention.code.Power2;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** A tile in machine code. */
final class MachineTile implements TileKernel {
  private static final Power2 POWER =
      new Power2(Exp2.ROUND, Exp2.LEAST, Exp2.C6, Exp2.C5, Exp2.C4, Exp2.C3, Exp2.C2, Exp2.C1);

  /** Floats of a vector of scores, and vectors of the state. */
  private static final int LANES = MachineCode.LANES;

  private static final int STATE = 3;

  private final RowFormat keys;
  private final RowFormat values;
  private final int keyStride;
  private final int valueStride;
  private final MachineCode ofRows;
  private final MachineCode ofOne;

  MachineTile(RowFormat keys, RowFormat values, KeyKernel keyKernel, ValueKernel valueKernel) {
    this.keys = keys;
    this.values = values;
    this.keyStride = keyKernel.stride();
    this.valueStride = valueKernel.stride();
    float scale = valueKernel.weightScale();
    ofRows = tiles(Kernels.ROWS, scale);
    ofOne = tiles(1, scale);
  }

  private MachineCode tiles(int rows, float scale) {
    return MachineCode.ofTiles(keys.code(), values.code(), rows, scale, POWER, RowBlock.TILE);
  }

  @Override
  public void take(
      MemorySegment keyMemory,
      long keyOffset,
      long keyScales,
      MemorySegment valueMemory,
      long valueOffset,
      long valueScales,
      int tokens,
      int tiles,
      Rows rows,
      RowsAhead ahead,
      int asked) {
    int count = rows.count == 1 ? 1 : Kernels.ROWS;
    keys.check(keyMemory, keyOffset, keyScales, tokens * tiles);
    values.check(valueMemory, valueOffset, valueScales, tokens * tiles);
    Objects.checkFromIndexSize(rows.queriesAt, count * keyStride, rows.queries.array().length);
    Objects.checkFromIndexSize(0, tokens * Kernels.ROWS, rows.scores.array().length);
    Objects.checkFromIndexSize(rows.stateAt, STATE * LANES, rows.state.array().length);
    Objects.checkFromIndexSize(rows.sumsAt, count * valueStride, rows.sums.array().length);
    Call call = ahead.call();
    call.set(Field.TOKENS, tokens);
    call.set(Field.TILES, tiles);
    call.set(Field.KEY, keyOffset);
    call.set(Field.KEY_SCALES, keyScales);
    call.set(Field.VALUE, valueOffset);
    call.set(Field.VALUE_SCALES, valueScales);
    call.set(Field.QUERY, (long) rows.queriesAt * Float.BYTES);
    call.set(Field.SCORES, 0);
    call.set(Field.STATE, (long) rows.stateAt * Float.BYTES);
    call.set(Field.SUMS, (long) rows.sumsAt * Float.BYTES);
    call.set(Field.FACTOR, Float.floatToRawIntBits(rows.factor));
    ahead.askForKeys(asked, keyMemory.address() + keyOffset);
    ahead.askForValues(asked, valueMemory.address() + valueOffset);
    (count == 1 ? ofOne : ofRows)
        .run(
            call,
            keyMemory,
            valueMemory,
            rows.queries.memory(),
            rows.scores.memory(),
            rows.sums.memory(),
            rows.state.memory());
  }
}
