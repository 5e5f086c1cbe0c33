package io.gatun.tools.matrix;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import io.gatun.attention.code.PanelCode;
import io.gatun.attention.code.TransposeCode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

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

  private static final int LINE = 64;
  private static final long COLUMN_BYTES = 4L * PanelCode.ROWS;

  private final TransposeCode transpose;
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

  /** A kernel where {@link #available}. */
  MachineBatch(int maxTokens, int maxCols, Arena arena) {
    this.arena = arena;
    this.maxTokens = maxTokens;
    this.maxSteps = maxCols / LANES;
    this.transpose = TransposeCode.of((int) Activations.ROW_BYTES);
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
  public int lanes() {
    return LANES;
  }

  @Override
  public int rows() {
    return PanelCode.ROWS;
  }

  @Override
  public int order(Activations activations, int count) {
    if (count > maxTokens || activations.cols() / LANES > maxSteps) {
      throw new IllegalArgumentException(
          "%d tokens of %d columns, and there is room for %d of %d"
              .formatted(count, activations.cols(), maxTokens, maxSteps * LANES));
    }
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
    private final Floats block = Floats.of(PanelCode.ROWS * ROW);
    private final MemorySegment weights =
        arena.allocate(LANES * oddLines(maxSteps * COLUMN_BYTES), LINE);
    private final MemorySegment sums = arena.allocate(PARTS * partBytes(maxTokens), LINE);
    private int panelRows;

    private static long partBytes(int tokens) {
      return tokens * COLUMN_BYTES;
    }

    @Override
    public float[] block() {
      return block.array();
    }

    @Override
    public void begin(int rows) {
      panelRows = rows;
    }

    @Override
    public void add(int start, int cols) {
      if (cols == 0) {
        return;
      }
      if (cols > Activations.BLOCK || cols % LANES != 0 || start + cols > steps * LANES) {
        throw new IllegalArgumentException("columns %d to %d".formatted(start, start + cols));
      }
      for (int row = 0; row < panelRows; row += LANES) {
        transpose.run(
            calls.get(),
            block.memory(),
            4L * row * ROW,
            cols / LANES,
            weights,
            start / LANES * COLUMN_BYTES + 4L * row,
            COLUMN_BYTES,
            oddLines(steps * COLUMN_BYTES));
      }
    }

    @Override
    public void end() {
      if (steps == 0) {
        sums.fill((byte) 0);
        return;
      }
      int calls = Math.ceilDiv(steps, PanelCode.MOST_STEPS);
      int callSteps = Math.ceilDiv(steps, calls);
      for (int i = 0; i < LANES; i++) {
        int lane = Integer.reverse(i) >>> Integer.SIZE - 4;
        int complete = Integer.numberOfTrailingZeros(~i);
        for (int step = 0; step < steps; step += callSteps) {
          if (tiles > 1) {
            multiply(lane, step, callSteps, 0, tiles - 1, tileTokens, complete);
          }
          multiply(lane, step, callSteps, tiles - 1, 1, lastTokens(), complete);
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
    }
  }
}
