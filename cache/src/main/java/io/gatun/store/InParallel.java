package io.gatun.store;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Runs file operations side by side. */
final class InParallel {
  /** So few are done faster by the caller. */
  private static final int FEW = 4;

  private InParallel() {}

  /** Runs all tasks and returns their results in order; the first failure is thrown, after all. */
  static <T> List<T> all(List<Callable<T>> tasks, int threads) throws IOException {
    List<T> results = new ArrayList<>(tasks.size());
    if (tasks.size() <= FEW || threads == 1) {
      for (Callable<T> task : tasks) {
        results.add(result(task));
      }
      return results;
    }
    ExecutorService executor = Executors.newFixedThreadPool(Math.min(threads, tasks.size()));
    try {
      List<Future<T>> futures = new ArrayList<>(tasks.size());
      tasks.forEach(task -> futures.add(executor.submit(task)));
      for (Future<T> future : futures) {
        results.add(result(() -> uninterrupted(future)));
      }
      return results;
    } finally {
      // Waits: what the caller undoes after a failure must not be done behind it.
      executor.close();
    }
  }

  private static <T> T uninterrupted(Future<T> future) throws Exception {
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
        case Exception cause -> throw cause;
        case Error cause -> throw cause;
        default -> throw e;
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static <T> T result(Callable<T> task) throws IOException {
    try {
      return task.call();
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
