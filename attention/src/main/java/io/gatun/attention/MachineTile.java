package io.gatun.attention;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Call.Field;
import io.gatun.attention.code.MachineCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** A tile in machine code. */
final class MachineTile implements TileKernel {
  /** Floats of a vector of scores, and vectors of the state. */
  private static final int LANES = MachineCode.LANES;

  private static final int STATE = 3;

  /** Widest rows that two blocks are taken with at once. */
  private static final int MOST_OF_TWO = 256;

  private static final int SPLIT_TILES = RowBlock.SPLIT / RowBlock.TILE;

  private final RowFormat keys;
  private final RowFormat values;
  private final int keyStride;
  private final int valueStride;
  private final MachineCode ofRows;

  /** The same where several blocks of rows take a tile in, one after the other. */
  private final MachineCode ofRowsInTurn;

  private final MachineCode ofOne;

  /** Two blocks of rows at once; null for rows so wide that their floats would fill the stack. */
  private final MachineCode ofTwo;

  /**
   * For the query heads of a group, which are the rows of a decode step: what would fill their block
   * is not computed. Null if nothing would, or they are too many.
   */
  private final MachineCode ofGroup;

  private final int groupHeads;

  private final MachineCode ofBlocks;

  /**
   * The code for rows of these formats.
   *
   * @param groupHeads query heads of a group
   */
  MachineTile(
      RowFormat keys,
      RowFormat values,
      KeyKernel keyKernel,
      ValueKernel valueKernel,
      int groupHeads) {
    this.keys = keys;
    this.values = values;
    this.keyStride = keyKernel.stride();
    this.valueStride = valueKernel.stride();
    float scale = valueKernel.weightScale();
    ofRows = tiles(Kernels.ROWS, 1, scale);
    ofRowsInTurn = tiles(Kernels.ROWS, 2, scale);
    ofOne = tiles(1, 1, scale);
    ofTwo =
        Math.max(keyStride, valueStride) > MOST_OF_TWO ? null : twoBlocks(2 * Kernels.ROWS, scale);
    this.groupHeads = groupHeads;
    if (groupHeads < Kernels.ROWS) {
      ofGroup = tiles(groupHeads, 1, scale);
    } else if (groupHeads > Kernels.ROWS && groupHeads < 2 * Kernels.ROWS && ofTwo != null) {
      ofGroup = twoBlocks(groupHeads, scale);
    } else {
      ofGroup = null;
    }
    ofBlocks = MachineCode.ofBlocks(keys.code(), values.code(), scale, Exp2.IN_CODE, RowBlock.TILE);
  }

  private MachineCode tiles(int rows, int sharers, float scale) {
    return MachineCode.ofTiles(
        keys.code(), values.code(), rows, sharers, scale, Exp2.IN_CODE, RowBlock.TILE, SPLIT_TILES);
  }

  private MachineCode twoBlocks(int rows, float scale) {
    return MachineCode.ofTwoBlocks(
        keys.code(), values.code(), rows, scale, Exp2.IN_CODE, RowBlock.TILE, SPLIT_TILES);
  }

  @Override
  public int most() {
    return ofTwo == null ? 1 : 2;
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
    int count = rows.count == 1 ? 1 : rows.blocks * Kernels.ROWS;
    Call call = ahead.call();
    set(call, rows, count, tokens);
    call.set(Field.TILES, rows.splits > 0 ? SPLIT_TILES : tiles);
    call.set(Field.BLOCKS, rows.blocks);
    setSplits(call, rows, tiles);
    memory(
        call,
        keyMemory,
        keyOffset,
        keyScales,
        valueMemory,
        valueOffset,
        valueScales,
        tokens * tiles);
    checkTokens(tokens, tiles);
    boolean two = rows.blocks == 2 && ofTwo != null;
    int scores = (two ? RowBlock.TILE + tokens : tokens) * Kernels.ROWS;
    Objects.checkFromIndexSize(0, scores, rows.scores.array().length);
    ahead.askForKeys(asked, keyMemory.address() + keyOffset);
    ahead.askForValues(asked, valueMemory.address() + valueOffset);
    code(rows, two, asked < tokens * tiles)
        .run(
            call,
            keyMemory,
            valueMemory,
            rows.queries.memory(),
            rows.scores.memory(),
            rows.sums.memory(),
            rows.state.memory());
  }

  /** There is code that was made for just so many rows: it stores no more and no fewer. */
  @Override
  public boolean stores(int rows) {
    return rows == 1 || rows == groupHeads && rows <= most() * Kernels.ROWS;
  }

  private MachineCode code(Rows rows, boolean two, boolean inTurn) {
    if (rows.count == 1) {
      return ofOne;
    }
    if (inTurn || rows.blocks > 1 && !two) {
      // Splits are not asked for of it: see stores.
      return ofRowsInTurn;
    }
    if (rows.count == groupHeads && ofGroup != null) {
      return ofGroup;
    }
    return two ? ofTwo : ofRows;
  }

  /** The code takes whole vectors of scores, and goes on by whole tiles. */
  private static void checkTokens(int tokens, int tiles) {
    boolean whole = tiles > 1 ? tokens == RowBlock.TILE : tiles == 1 && tokens <= RowBlock.TILE;
    if (!whole || tokens < 1 || tokens % (LANES / Kernels.ROWS) != 0) {
      throw new IllegalArgumentException("%d tiles of %d tokens".formatted(tiles, tokens));
    }
  }

  /** Sets where the rows lie, so many of them, having seen to it that they do. */
  private void set(Call call, Rows rows, int count, int tokens) {
    int states = Math.ceilDiv(count, Kernels.ROWS);
    Objects.checkFromIndexSize(rows.queriesAt, count * keyStride, rows.queries.array().length);
    Objects.checkFromIndexSize(rows.stateAt, states * STATE * LANES, rows.state.array().length);
    Objects.checkFromIndexSize(rows.sumsAt, count * valueStride, rows.sums.array().length);
    call.set(Field.TOKENS, tokens);
    call.set(Field.QUERY, (long) rows.queriesAt * Float.BYTES);
    call.set(Field.SCORES, 0);
    call.set(Field.STATE, (long) rows.stateAt * Float.BYTES);
    call.set(Field.SUMS, (long) rows.sumsAt * Float.BYTES);
    call.set(Field.FACTOR, Float.floatToRawIntBits(rows.factor));
  }

  /** Sets where results of whole splits go, having seen to it that there is room. */
  private void setSplits(Call call, Rows rows, int tiles) {
    call.set(Field.SPLITS, rows.splits);
    if (rows.splits == 0) {
      return;
    }
    if (tiles != rows.splits * SPLIT_TILES || !stores(rows.count)) {
      throw new IllegalArgumentException(
          "%d splits of %d tiles, %d rows".formatted(rows.splits, tiles, rows.count));
    }
    long bytes = (long) rows.count * (valueStride + 2) * Float.BYTES;
    Objects.checkFromIndexSize(
        rows.storeAt, (rows.splits - 1) * rows.storeBytes + bytes, rows.store.byteSize());
    call.set(Field.STORE, rows.store.address() + rows.storeAt);
    call.set(Field.PART_BYTES, rows.storeBytes);
  }

  /** Sets where keys and values lie, having seen to it that they do. */
  private void memory(
      Call call,
      MemorySegment keyMemory,
      long keyOffset,
      long keyScales,
      MemorySegment valueMemory,
      long valueOffset,
      long valueScales,
      int tokens) {
    keys.check(keyMemory, keyOffset, keyScales, tokens);
    values.check(valueMemory, valueOffset, valueScales, tokens);
    call.set(Field.KEY, keyOffset);
    call.set(Field.KEY_SCALES, keyScales);
    call.set(Field.VALUE, valueOffset);
    call.set(Field.VALUE_SCALES, valueScales);
  }

  @Override
  public long scratchBytes(int blocks) {
    return widenedBytes() + (long) blocks * (queryBytes() + sumBytes());
  }

  private long widenedBytes() {
    return (long) MachineCode.widenedRows() * Math.max(keyStride, valueStride) * Float.BYTES;
  }

  /** Bytes of a block's query rows. */
  private long queryBytes() {
    return (long) Kernels.ROWS * keyStride * Float.BYTES;
  }

  /** Bytes of a block's sums. */
  private long sumBytes() {
    return (long) Kernels.ROWS * valueStride * Float.BYTES;
  }

  @Override
  public void takeBlocks(
      MemorySegment keyMemory,
      long keyOffset,
      long keyScales,
      MemorySegment valueMemory,
      long valueOffset,
      long valueScales,
      int tokens,
      Rows rows,
      RowsAhead ahead) {
    Call call = ahead.call();
    set(call, rows, rows.blocks * Kernels.ROWS, tokens);
    memory(call, keyMemory, keyOffset, keyScales, valueMemory, valueOffset, valueScales, tokens);
    int scores = rows.blocks * RowBlock.TILE * Kernels.ROWS;
    Objects.checkFromIndexSize(0, scores, rows.scores.array().length);
    checkTokens(tokens, 1);
    Objects.checkFromIndexSize(0, scratchBytes(rows.blocks), rows.scratch.byteSize());
    long scratch = rows.scratch.address();
    call.set(Field.BLOCKS, rows.blocks);
    call.set(Field.WIDENED, scratch);
    call.set(Field.QUERY_COPY, scratch + widenedBytes());
    long queryBytes = rows.blocks * queryBytes();
    call.set(Field.QUERY_VECTORS, rows.areCopied() ? 0 : queryBytes / (LANES * Float.BYTES));
    // At the end: there may be copies of more queries than these.
    long sums = rows.scratch.byteSize() - rows.blocks * sumBytes();
    call.set(Field.TILE_SUMS, scratch + sums);
    ahead.askForKeys(tokens, keyMemory.address() + keyOffset);
    ahead.askForValues(tokens, valueMemory.address() + valueOffset);
    ofBlocks.run(
        call,
        keyMemory,
        valueMemory,
        rows.queries.memory(),
        rows.scores.memory(),
        rows.sums.memory(),
        rows.state.memory());
    rows.copied();
  }
}
