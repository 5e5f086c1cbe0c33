package io.gatun.attention;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Threads that stay, so that handing work over costs microseconds. The caller of {@link #run} works
 * too: a team of {@code n} threads has {@code n - 1} of its own. After a piece of work they look out
 * for the next one for some microseconds and then sleep; an idle team uses no processor time.
 *
 * <p>Which thread does which task is not defined, so the tasks must not depend on it.
 *
 * <p>Thread rules: {@link #run} may be called from any thread; concurrent calls take turns. A task
 * must not call {@link #run} of its own team.
 */
public final class Team implements AutoCloseable {
  /** A piece of work that is cut into numbered tasks. */
  @FunctionalInterface
  public interface Task {
    /**
     * Does one task.
     *
     * @param task its number, from 0
     * @param worker number of the thread that does it, in {@code [0, threads)}; two tasks with the
     *     same worker never run at the same time, so it may name a scratch buffer
     */
    void run(int task, int worker);
  }

  /** Rounds of looking out for work before a thread sleeps: about ten microseconds. */
  private static final int SPINS = 500;

  private static final VarHandle FAILURE;

  static {
    try {
      FAILURE = MethodHandles.lookup().findVarHandle(Team.class, "failure", Throwable.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Thread[] workers;
  private final ReentrantLock turn = new ReentrantLock();

  /**
   * Number of the work in the upper half, tasks that nobody has taken yet in the lower one. Both
   * change together, so that a thread that comes late cannot take a task of the next work for one
   * of the last: while tasks are left, the fields below belong to that work.
   */
  private final AtomicLong state = new AtomicLong();

  private final AtomicInteger unfinished = new AtomicInteger();
  private Task task;
  private int tasks;
  private Thread caller;
  private volatile Throwable failure;
  private volatile boolean closed;

  private Team(int threads) {
    workers = new Thread[threads - 1];
    for (int i = 0; i < workers.length; i++) {
      int worker = i + 1;
      workers[i] =
          Thread.ofPlatform()
              .name("gatun-worker-" + worker)
              .daemon()
              .unstarted(() -> serve(worker));
    }
    for (Thread worker : workers) {
      worker.start();
    }
  }

  /**
   * A team of so many threads.
   *
   * @param threads at least 1, which means the caller alone
   */
  public static Team of(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads is %d, not at least 1".formatted(threads));
    }
    return new Team(threads);
  }

  /** Threads that work, the caller of {@link #run} included. */
  public int threads() {
    return workers.length + 1;
  }

  /**
   * Does the tasks {@code 0} to {@code tasks - 1} and returns when all are done. Allocates nothing.
   *
   * <p>If a task throws, those not yet begun are left out and the first exception is thrown here.
   *
   * @throws IllegalStateException if the team is closed, or a task calls this
   */
  public void run(int tasks, Task task) {
    if (turn.isHeldByCurrentThread()) {
      throw new IllegalStateException("a task cannot hand work to its own team");
    }
    for (Thread worker : workers) {
      if (worker == Thread.currentThread()) {
        throw new IllegalStateException("a task cannot hand work to its own team");
      }
    }
    turn.lock();
    try {
      if (closed) {
        throw new IllegalStateException("the team is closed");
      }
      if (workers.length == 0 || tasks <= 1) {
        for (int i = 0; i < tasks; i++) {
          task.run(i, 0);
        }
        return;
      }
      publish(tasks, task);
      work(0);
      awaitLast();
      this.task = null;
      caller = null;
      Throwable thrown = failure;
      if (thrown != null) {
        failure = null;
        rethrow(thrown);
      }
    } finally {
      turn.unlock();
    }
  }

  private void publish(int newTasks, Task newTask) {
    task = newTask;
    tasks = newTasks;
    caller = Thread.currentThread();
    unfinished.set(newTasks);
    state.set(((state.get() >>> 32) + 1) << 32 | newTasks);
    int wanted = Math.min(workers.length, newTasks - 1);
    for (int i = 0; i < wanted; i++) {
      LockSupport.unpark(workers[i]);
    }
  }

  private void serve(int worker) {
    while (!closed) {
      int spins = 0;
      while ((int) state.get() == 0 && !closed) {
        if (spins < SPINS) {
          spins++;
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
          // Nobody has a reason to interrupt a worker; if it happens, it must not spin for ever.
          Thread.interrupted();
        }
      }
      work(worker);
    }
  }

  /** Takes tasks and does them until none is left. */
  private void work(int worker) {
    for (long seen = state.get(); (int) seen != 0; seen = state.get()) {
      Task mine = task;
      int number = tasks - (int) seen;
      Thread waiting = caller;
      if (!state.compareAndSet(seen, seen - 1)) {
        continue;
      }
      if (failure == null) {
        try {
          mine.run(number, worker);
        } catch (Throwable e) {
          FAILURE.compareAndSet(this, null, e);
        }
      }
      if (unfinished.decrementAndGet() == 0 && waiting != Thread.currentThread()) {
        LockSupport.unpark(waiting);
      }
    }
  }

  private void awaitLast() {
    boolean interrupted = false;
    int spins = 0;
    while (unfinished.get() != 0) {
      if (spins < SPINS) {
        spins++;
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
        // Tasks are short and must not be left behind: remember the interrupt for the caller.
        interrupted |= Thread.interrupted();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static void rethrow(Throwable thrown) {
    if (thrown instanceof RuntimeException e) {
      throw e;
    }
    if (thrown instanceof Error e) {
      throw e;
    }
    throw new IllegalStateException("a task threw a checked exception", thrown);
  }

  /** Ends the threads, after the work that is under way. */
  @Override
  public void close() {
    turn.lock();
    try {
      closed = true;
    } finally {
      turn.unlock();
    }
    for (Thread worker : workers) {
      LockSupport.unpark(worker);
    }
    boolean interrupted = false;
    for (Thread worker : workers) {
      while (worker.isAlive()) {
        try {
          worker.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
