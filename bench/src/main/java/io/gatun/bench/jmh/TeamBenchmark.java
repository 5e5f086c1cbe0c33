package io.gatun.bench.jmh;

import io.gatun.attention.Team;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to hand one task to each thread of a team and to know that they are done: right
 * after the last ones, and after a pause in which the team has gone to sleep. A task ends when all
 * have begun, so that no thread can do the work of another.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {JvmFlags.VECTOR, JvmFlags.NATIVE, "-Xmx128m"})
public class TeamBenchmark {
  /** Threads, the caller included. */
  @Param({"1", "2"})
  public int threads;

  /** Microseconds of nothing before each hand-over. */
  @Param({"0", "5", "1000"})
  public int pauseMicros;

  private final AtomicInteger begun = new AtomicInteger();
  private Team team;

  /** Starts the threads. */
  @Setup(Level.Trial)
  public void setUp() {
    team = Team.of(threads);
  }

  /** Lets the team be idle. */
  @Setup(Level.Invocation)
  public void pause() {
    if (pauseMicros >= 100) {
      LockSupport.parkNanos(pauseMicros * 1000L);
    } else {
      long end = System.nanoTime() + pauseMicros * 1000L;
      while (System.nanoTime() < end) {
        Thread.onSpinWait();
      }
    }
  }

  /** The hand-over. */
  @Benchmark
  public void handOver() {
    begun.set(0);
    team.run(
        threads,
        (task, worker) -> {
          begun.incrementAndGet();
          while (begun.get() < threads) {
            Thread.onSpinWait();
          }
        });
  }

  /** Ends the threads. */
  @TearDown(Level.Trial)
  public void tearDown() {
    team.close();
  }
}
