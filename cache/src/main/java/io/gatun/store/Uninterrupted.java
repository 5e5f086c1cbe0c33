package io.gatun.store;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;

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
