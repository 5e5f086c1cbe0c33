package io.gatun.bench.jmh;

import io.gatun.attention.Team;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.PrefillWork;
import io.gatun.cache.KvType;
import java.util.concurrent.TimeUnit;
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

/** The attention of the last query tokens of one layer. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
    value = 1,
    jvmArgsAppend = {
      JvmFlags.VECTOR,
      JvmFlags.NATIVE,
      JvmFlags.UNSAFE,
      JvmFlags.REFLECT,
      JvmFlags.CHANNELS,
      JvmFlags.REFS,
      JvmFlags.MISC,
      "-Xmx256m"
    })
public class PrefillBenchmark {
  /** Element type of K and V. */
  @Param({"F32", "F16"})
  public KvType type;

  /** numHeads/numKvHeads/headDim. */
  @Param("32/8/128")
  public String heads;

  /** Tokens, the queries included. */
  @Param("4096")
  public long context;

  /** Query tokens. */
  @Param({"8", "512"})
  public int queries;

  /** Threads. */
  @Param({"1", "2"})
  public int threads;

  private Team team;
  private PrefillWork work;

  /** Fills the cache. */
  @Setup(Level.Trial)
  public void setUp() {
    team = Team.of(threads);
    work = new PrefillWork(Heads.parse(heads), type, context, queries, team);
  }

  /** All queries once. */
  @Benchmark
  public void prefill() {
    work.prefill(0);
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void tearDown() {
    work.close();
    team.close();
  }
}
