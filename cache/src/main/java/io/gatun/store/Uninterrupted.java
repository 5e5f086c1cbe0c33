package io.gatun.store;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs file operations as if the thread were not interrupted. An interrupt closes a FileChannel in
 * use, and the store must not lose a file, a lock or a commit to that.
 */
final class Uninterrupted {
  private Uninterrupted() {}

  /** An operation that can be run again if an interrupt spoils it. */
  @FunctionalInterface
  interface Operation<T> {
    T run() throws IOException;
  }

  private static final ExecutorService UNDISTURBED =
      Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "gatun-locks");
        thread.setDaemon(true);
        return thread;
      });

  /**
   * Runs an operation on a channel that stays open, in a thread that nobody interrupts: an interrupt
   * in the middle would close the channel, and drop every lock that this process has on its file.
   */
  static <T> T onOpenChannel(Operation<T> operation) throws IOException {
    Future<T> future = UNDISTURBED.submit(operation::run);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return future.get();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException cause -> throw cause;
        case RuntimeException cause -> throw cause;
        case Error cause -> throw cause;
        default -> throw new IllegalStateException(e.getCause());
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Runs the operation until no interrupt gets in its way, then restores the interrupt. */
  static <T> T call(Operation<T> operation) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        try {
          return operation.run();
        } catch (ClosedByInterruptException e) {
          interrupted |= Thread.interrupted();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
