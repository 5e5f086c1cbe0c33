package io.gatun.tools.matrix;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import io.gatun.attention.code.PanelCode;
import io.gatun.attention.code.StoredLanesCode;
import io.gatun.attention.code.TransposeCode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/**
 * Batches in machine code, with the bits of {@link VectorPanel} with 16 lanes. Activations and weights
 * are put in the order of lanes first, so that rows of weights lie side by side in a register and no
 * register's lanes are left to be added:
 *
 * <pre>
 *   activations   [tile][lane 16][column of the lane][token of the tile]     f32
 *   weights       [lane 16][column of the lane][row 32]                      f32
 *   sums          [part 5][token][row 32]                                    f32
 * </pre>
 *
 * Lanes are taken in an order in which what is to be added to each other comes one behind the other:
 * 0 and 8, then 4 and 12, then the sums of both, and so on. A sum of 2, 4, 8, 16 lanes is part 1, 2, 3,
 * 4; those that wait for their like stay where they are.
 */
final class MachineBatch implements BatchKernel {
  private static final int LANES = 16;

  /** Parts: of one lane, two, four, eight, and of all of them. */
  private static final int PARTS = 5;

  /** Tiles of a call, at most: some 40 microseconds, for which a garbage collection may have to wait. */
  private static final int CALL_TILES = 64;

  private static final int LINE = 64;
  private static final long COLUMN_BYTES = 4L * PanelCode.ROWS;

  private final Function<WeightType, RowKernel> kernels;
  private final TransposeCode transpose;

  /** What takes weights in as they are stored. */
  private final Map<WeightType, CodeForWidths<StoredLanesCode>> codes =
      new EnumMap<>(WeightType.class);

  private final PanelCode[] panels = new PanelCode[PanelCode.MOST_TOKENS + 1];
  private final Arena arena;
  private final int maxTokens;
  private final int maxSteps;
  private final MemorySegment ordered; // see above

  /** What a thread calls with. */
  private final ThreadLocal<Call> calls = ThreadLocal.withInitial(Call::new);

  // The call under way.
  private Activations x;
  private int tokens;
  private int tileTokens;
  private int tiles;
  private int steps;

  /**
   * A kernel where {@link #available}.
   *
   * @param kernels decode rows that there is no code for
   */
  MachineBatch(Function<WeightType, RowKernel> kernels, int maxTokens, int maxCols, Arena arena) {
    this.kernels = kernels;
    this.arena = arena;
    this.maxTokens = maxTokens;
    this.maxSteps = maxCols / LANES;
    this.transpose = TransposeCode.of((int) Activations.ROW_BYTES);
    for (WeightType type : WeightType.values()) {
      codes.put(type, new CodeForWidths<>(type, StoredLanesCode::of));
    }
    for (int i = 1; i < panels.length; i++) {
      panels[i] = PanelCode.of(i);
    }
    long most = 0;
    for (int i = 1; i <= PanelCode.MOST_TOKENS; i++) {
      most = Math.max(most, Math.ceilDiv(maxTokens, i) * tileBytes(i, maxSteps));
    }
    this.ordered = arena.allocate(most, LINE);
  }

  /** Whether it can be used in this process. */
  static boolean available() {
    return Lanes.COUNT == LANES && PanelCode.available();
  }

  @Override
  public int rows() {
    return PanelCode.ROWS;
  }

  @Override
  public int begin(Activations activations, int count) {
    x = activations;
    tokens = count;
    steps = activations.cols() / LANES;
    tiles = Math.ceilDiv(count, PanelCode.MOST_TOKENS);
    tileTokens = Math.ceilDiv(count, tiles);
    // All but the last are of the same size.
    tiles = Math.ceilDiv(count, tileTokens);
    return steps == 0 ? 0 : tiles;
  }

  private int lastTokens() {
    return tokens - (tiles - 1) * tileTokens;
  }

  @Override
  public void order(int tile) {
    int first = tile * tileTokens;
    int columnBytes = Float.BYTES * (tile < tiles - 1 ? tileTokens : lastTokens());
    long to = tile * tileBytes(tileTokens, steps);
    for (int start = 0; start < steps * LANES; start += Activations.BLOCK) {
      int count = Math.min(Activations.BLOCK, steps * LANES - start) / LANES;
      transpose.run(
          calls.get(),
          x.data(),
          x.offset(first, start),
          count,
          ordered,
          to + (long) start / LANES * columnBytes,
          columnBytes,
          laneBytes(tileTokens, steps));
    }
  }

  @Override
  public Panel panel() {
    return new Ordered();
  }

  /** Bytes from lane to lane of activations: an odd number of lines, and one to write too much. */
  private static long laneBytes(int tileTokens, int steps) {
    return oddLines(4L * tileTokens * steps + LINE);
  }

  private static long tileBytes(int tileTokens, int steps) {
    return LANES * laneBytes(tileTokens, steps);
  }

  /** An odd number of lines, so that the lanes of a column do not fall on the same cache lines. */
  private static long oddLines(long bytes) {
    return (Math.ceilDiv(bytes, LINE) | 1) * LINE;
  }

  /** All columns of 32 rows in the order of lanes. */
  private final class Ordered implements Panel {
    private final Floats block = Floats.of(StoredLanesCode.ROWS * PanelKernel.ROW);
    private final MemorySegment weights =
        arena.allocate(LANES * oddLines(maxSteps * COLUMN_BYTES), LINE);
    private final MemorySegment sums = arena.allocate(PARTS * partBytes(maxTokens), LINE);
    private final LastColumns last = new LastColumns(PanelCode.ROWS, LANES);
    private int panelRows;

    private static long partBytes(int tokens) {
      return tokens * COLUMN_BYTES;
    }

    @Override
    public void multiply(Matrix weight, long from, int rows) {
      Objects.checkFromIndexSize(from, rows, weight.rows());
      if (rows > PanelCode.ROWS || weight.cols() != x.cols()) {
        throw new IllegalArgumentException(
            "%d rows of %d columns, and %d activations".formatted(rows, weight.cols(), x.cols()));
      }
      panelRows = rows;
      take(weight, from, rows);
      multiply();
      last.take(kernels.apply(weight.type()), weight, from, rows);
    }

    /** Puts the rows in the order of lanes, 16 at a time. */
    private void take(Matrix weight, long from, int rows) {
      StoredLanesCode code = codes.get(weight.type()).code(weight.cols());
      for (int row = 0; row < rows; row += StoredLanesCode.ROWS) {
        int left = rows - row;
        if (code == null || left < StoredLanesCode.ROWS) {
          widen(weight, from, row, Math.min(StoredLanesCode.ROWS, left));
        } else {
          code.run(
              calls.get(),
              weight.data(),
              (from + row) * weight.type().rowBytes(weight.cols()),
              left >= 2 * StoredLanesCode.ROWS,
              weights,
              (long) Float.BYTES * row,
              COLUMN_BYTES,
              oddLines(steps * COLUMN_BYTES));
        }
      }
    }

    /** The same for rows that there is no code for, or fewer than it takes. */
    private void widen(Matrix weight, long from, int row, int rows) {
      RowKernel decoder = kernels.apply(weight.type());
      for (int start = 0; start < steps * LANES; start += Activations.BLOCK) {
        int cols = Math.min(Activations.BLOCK, steps * LANES - start);
        decoder.widen(weight, from + row, rows, start, cols, block.array());
        transpose.run(
            calls.get(),
            block.memory(),
            0,
            cols / LANES,
            weights,
            start / LANES * COLUMN_BYTES + (long) Float.BYTES * row,
            COLUMN_BYTES,
            oddLines(steps * COLUMN_BYTES));
      }
    }

    private void multiply() {
      if (steps == 0) {
        sums.fill((byte) 0);
        return;
      }
      int parts = Math.ceilDiv(steps, PanelCode.MOST_STEPS);
      int partSteps = Math.ceilDiv(steps, parts);
      for (int i = 0; i < LANES; i++) {
        int lane = Integer.reverse(i) >>> Integer.SIZE - 4;
        int complete = Integer.numberOfTrailingZeros(~i);
        for (int step = 0; step < steps; step += partSteps) {
          for (int tile = 0; tile < tiles - 1; tile += CALL_TILES) {
            int count = Math.min(CALL_TILES, tiles - 1 - tile);
            multiply(lane, step, partSteps, tile, count, tileTokens, complete);
          }
          multiply(lane, step, partSteps, tiles - 1, 1, lastTokens(), complete);
        }
      }
    }

    private void multiply(
        int lane, int from, int most, int firstTile, int count, int eachTokens, int part) {
      long tileBytes = tileBytes(tileTokens, steps);
      boolean last = from + most >= steps;
      panels[eachTokens].run(
          calls.get(),
          weights,
          lane * oddLines(steps * COLUMN_BYTES) + from * COLUMN_BYTES,
          last ? steps - from : most,
          ordered,
          firstTile * tileBytes + lane * laneBytes(tileTokens, steps) + 4L * from * eachTokens,
          count,
          tileBytes,
          from > 0,
          sums,
          firstTile * partBytes(tileTokens),
          part,
          last ? part : 0,
          partBytes(tokens));
    }

    @Override
    public void products(int token, float[] out) {
      long at = (PARTS - 1) * partBytes(tokens) + token * COLUMN_BYTES;
      MemorySegment.copy(sums, ValueLayout.JAVA_FLOAT, at, out, 0, panelRows);
      last.add(x, token, out);
    }
  }
}
