package io.gatun.tools.matrix;

import io.gatun.attention.Team;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Function;

/**
 * Weight matrices times activations, on all threads of a team.
 *
 * <p>One token: rows are streamed from the mapping once, which is all that memory allows. Several
 * tokens: a panel of rows is decoded once and multiplied with all tokens from registers, so that a
 * weight is read from memory once per batch. Both sum in the same order (see {@link Lanes}), so a
 * token's bits do not depend on the batch that it came in, on the number of threads or on how rows
 * are cut into tasks.
 *
 * <p>Thread rules: one call at a time. Allocates nothing per call.
 */
public final class MatrixProduct implements AutoCloseable {
  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Bytes of weights in a task for one token, at least: enough to stream. */
  private static final long MIN_TASK_BYTES = 1 << 16;

  private static final long MAX_TASK_BYTES = 1 << 22;

  /**
   * Tasks for each thread, where they do not get too small: at the end of a product threads wait for
   * the last task, and one of them may run at two thirds of another's speed.
   */
  private static final long TASKS_PER_THREAD = 32;

  /** Rows of a task for one token, at most; bounds the store of its results. */
  private static final int MAX_TASK_ROWS = 1 << 14;

  private final Team team;

  private final int maxTokens;
  private final int maxCols;
  private final Function<WeightType, RowKernel> kernels;
  private final BatchKernel batches; // null if there are none
  private final Arena arena = Arena.ofShared();
  private final MemorySegment[] dots; // per worker: f32 [MAX_TASK_ROWS], results of a task
  private final float[][] sums; // per worker: see RowKernel
  private final BatchKernel.Panel[] panels; // per worker
  private final float[][] lines; // per worker: a token's products with the rows of a panel
  private final Team.Task vectorTask = this::vectorTask;
  private final Team.Task orderTask = (task, _) -> orderTask(task);
  private final Team.Task batchTask = this::batchTask;

  // The call under way.
  private ProjectionGroup group;
  private Activations x;
  private int tokens;
  private int rowsPerTask;

  /**
   * A product for batches of up to {@code maxTokens} tokens of up to {@code maxCols} columns. In
   * machine code it keeps activations once more, in another order: 4 bytes for each token and column.
   *
   * @param team threads that share the work; stays the caller's to close
   */
  public MatrixProduct(Team team, int maxTokens, int maxCols) {
    this(team, maxTokens, maxCols, MatrixKernels::batches, MatrixKernels::rows);
  }

  MatrixProduct(
      Team team,
      int maxTokens,
      int maxCols,
      BatchKernel.Factory batchKernels,
      Function<WeightType, RowKernel> kernels) {
    this.team = team;
    this.maxTokens = maxTokens;
    this.maxCols = maxCols;
    this.kernels = kernels;
    int threads = team.threads();
    this.batches = maxTokens == 1 ? null : made(batchKernels);
    this.dots = new MemorySegment[threads];
    this.sums = new float[threads][RowKernel.SUMS];
    this.panels = new BatchKernel.Panel[threads];
    this.lines = new float[threads][batches == null ? 0 : batches.rows()];
    for (int i = 0; i < threads; i++) {
      dots[i] = arena.allocate(4L * MAX_TASK_ROWS, 64);
      panels[i] = batches == null ? null : batches.panel();
    }
  }

  private BatchKernel made(BatchKernel.Factory factory) {
    try {
      return factory.make(team.threads(), maxTokens, maxCols, arena);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /** Whether products run on the Vector API. */
  public static boolean vectorised() {
    return MatrixKernels.VECTORS;
  }

  /**
   * Computes all products of a group for the first {@code tokens} rows of {@code x}.
   *
   * @throws IllegalArgumentException if the activations are of another width, or too few; or if they
   *     are more, or wider, than this was made for
   */
  public void multiply(ProjectionGroup group, Activations x, int tokens) {
    if (x.cols() != group.cols || tokens < 1 || tokens > x.tokens()) {
      throw new IllegalArgumentException(
          "%d tokens of %d columns, and the activations hold %d of %d"
              .formatted(tokens, group.cols, x.tokens(), x.cols()));
    }
    if (x.tokens() > 1 && (tokens > maxTokens || group.cols > maxCols)) {
      throw new IllegalArgumentException(
          "%d tokens of %d columns, and this is for batches of up to %d of %d"
              .formatted(tokens, group.cols, maxTokens, maxCols));
    }
    this.group = group;
    this.x = x;
    this.tokens = tokens;
    if (x.tokens() == 1) {
      long taskBytes =
          Math.clamp(
              group.bytes / (TASKS_PER_THREAD * team.threads()), MIN_TASK_BYTES, MAX_TASK_BYTES);
      long rowBytes = group.projections[0].weight().type().rowBytes(group.cols);
      // A multiple of 4 rows, which the kernels take at a time.
      rowsPerTask = Math.clamp(taskBytes / rowBytes & ~3L, 4, MAX_TASK_ROWS);
      team.run(group.tasks(rowsPerTask), vectorTask);
    } else {
      int tasks = batches.begin(x, tokens);
      if (tasks > 0) {
        team.run(tasks, orderTask);
      }
      rowsPerTask = batches.rows();
      team.run(group.tasks(rowsPerTask), batchTask);
    }
  }

  private void vectorTask(int task, int worker) {
    int index = task;
    for (Projection projection : group.projections) {
      Matrix weight = projection.weight();
      int tasks = (int) Math.ceilDiv(weight.rows(), (long) rowsPerTask);
      if (index < tasks) {
        long from = (long) index * rowsPerTask;
        vector(projection, from, Math.min(weight.rows(), from + rowsPerTask), worker);
        return;
      }
      index -= tasks;
    }
  }

  private void vector(Projection projection, long from, long to, int worker) {
    Matrix weight = projection.weight();
    RowKernel kernel = kernels.apply(weight.type());
    MemorySegment results = dots[worker];
    kernel.multiply(weight.data(), weight.cols(), from, to, x.data(), 0, results, 0, sums[worker]);
    for (long row = from; row < to; row++) {
      float dot = results.get(FLOAT, 4 * (row - from));
      projection.out().set(FLOAT, projection.at(0, row), projection.finish(dot, 0, row));
    }
  }

  private void orderTask(int task) {
    batches.order(task);
  }

  private void batchTask(int task, int worker) {
    int index = task;
    for (Projection projection : group.projections) {
      int tasks = (int) Math.ceilDiv(projection.weight().rows(), (long) rowsPerTask);
      if (index < tasks) {
        batch(projection, (long) index * rowsPerTask, worker);
        return;
      }
      index -= tasks;
    }
  }

  private void batch(Projection projection, long from, int worker) {
    Matrix weight = projection.weight();
    int rows = (int) Math.min(rowsPerTask, weight.rows() - from);
    BatchKernel.Panel panel = panels[worker];
    panel.multiply(weight, from, rows);
    float[] line = lines[worker];
    for (int token = 0; token < tokens; token++) {
      panel.products(token, line);
      projection.finish(line, rows, token, from);
    }
  }

  /** Frees the stores. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
