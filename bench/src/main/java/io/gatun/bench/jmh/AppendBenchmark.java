package io.gatun.bench.jmh;

import io.gatun.bench.work.Heads;
import io.gatun.bench.work.RandomRows;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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

/**
 * Encoding the K/V rows of one token into one layer, beside a plain copy of the same f32 rows. A
 * cache that is full begins anew.
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
public class AppendBenchmark {
  /** Element type of K and V. */
  @Param({"F32", "F16", "BF16", "Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  public KvType type;

  /** numHeads/numKvHeads/headDim. */
  @Param("32/8/128")
  public String heads;

  /** Tokens after which the cache is cut to nothing. */
  @Param("16384")
  public long context;

  /** Where K/V lies. */
  @Param({"ANONYMOUS", "MAPPED"})
  public Storage storage;

  private RandomRows rows;
  private KvCache cache;
  private MemorySegment keys;
  private MemorySegment values;
  private MemorySegment copies;
  private long copied;

  /** Makes the cache and the rows. */
  @Setup(Level.Trial)
  public void setUp() {
    Heads shape = Heads.parse(heads);
    KvLayout layout = KvLayout.of(shape.shape(1), type);
    cache = storage.open(layout, Path.of(System.getProperty("java.io.tmpdir")));
    rows = new RandomRows(1);
    keys = rows.next(shape.numKvHeads() * shape.headDim());
    values = rows.next(shape.numKvHeads() * shape.headDim());
    copies = Arena.ofAuto().allocate(context * (keys.byteSize() + values.byteSize()), 4096);
  }

  /** One token. */
  @Benchmark
  public void append() {
    if (cache.length() == context) {
      cache.truncate(0);
    }
    cache.append(0, keys, values, 1);
    cache.advance(1);
  }

  /** Its rows copied, and nothing else. */
  @Benchmark
  public void copy() {
    long bytes = keys.byteSize();
    long at = copied * 2 * bytes;
    MemorySegment.copy(keys, 0, copies, at, bytes);
    MemorySegment.copy(values, 0, copies, at + bytes, bytes);
    copied = copied + 1 == context ? 0 : copied + 1;
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void tearDown() {
    cache.close();
    rows.close();
  }
}
