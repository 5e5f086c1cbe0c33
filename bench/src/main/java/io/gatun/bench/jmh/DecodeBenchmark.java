package io.gatun.bench.jmh;

import io.gatun.attention.Team;
import io.gatun.bench.work.DecodeWork;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.Workers;
import java.nio.file.Path;
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

/** A decode step of one layer, and the plain read of the same bytes; rotating layers. */
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
public class DecodeBenchmark {
  /** Element type of K and V. */
  @Param({"F32", "BF16"})
  public KvType type;

  /** numHeads/numKvHeads/headDim. */
  @Param("32/8/128")
  public String heads;

  /** Tokens. */
  @Param({"4096", "16384"})
  public long context;

  /** Threads that decode, and that read. */
  @Param({"1", "2"})
  public int threads;

  /** Where K/V lies. */
  @Param("ANONYMOUS")
  public Storage storage;

  private Team team;
  private Workers workers;
  private DecodeWork work;
  private int index;

  /** Fills the cache. */
  @Setup(Level.Trial)
  public void setUp() {
    Heads shape = Heads.parse(heads);
    team = Team.of(threads);
    workers = new Workers(threads);
    Path folder = Path.of(System.getProperty("java.io.tmpdir"));
    int layers = DecodeWork.rotatingLayers(shape, type, context);
    work =
        new DecodeWork(shape, type, layers, context, storage, folder, team, workers, tokens -> {});
  }

  /** The decode step. */
  @Benchmark
  public void decode() {
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
