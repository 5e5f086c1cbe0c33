package io.gatun.bench.jmh;

import io.gatun.attention.Team;
import io.gatun.bench.work.LatentWork;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.Workers;
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

/**
 * A decode step of latent attention in the shape of DeepSeek-V3, and the plain read of the same
 * bytes; rotating layers. It is bound by arithmetic: see {@code gatun bench latent}.
 */
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
public class LatentBenchmark {
  /** Element type of the rows. */
  @Param("BF16")
  public KvType type;

  /** Tokens. */
  @Param("4096")
  public long context;

  /** Threads that attend, and that read. */
  @Param("2")
  public int threads;

  private Team team;
  private Workers workers;
  private LatentWork work;
  private int index;

  /** Fills the cache. */
  @Setup(Level.Trial)
  public void setUp() {
    team = Team.of(threads);
    workers = new Workers(threads);
    int layers = LatentWork.rotatingLayers(type, context);
    work = new LatentWork(type, layers, context, team, workers);
  }

  /** The decode step. */
  @Benchmark
  public void latent() {
    work.decode(index++ & Integer.MAX_VALUE);
  }

  /** The plain read. */
  @Benchmark
  public void ceiling() {
    work.read(index++ & Integer.MAX_VALUE);
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void tearDown() {
    work.close();
    workers.close();
    team.close();
  }
}
