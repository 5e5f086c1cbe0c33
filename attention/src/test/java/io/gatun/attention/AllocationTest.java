package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A decode step allocates nothing, on no thread. */
class AllocationTest {
  private static final int STEPS = 1000;

  /** Bytes that all live threads of the team, and this one, have allocated. */
  private static long allocated() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long[] ids =
        Thread.getAllStackTraces().keySet().stream()
            .filter(t -> t == Thread.currentThread() || t.getName().startsWith("gatun-worker"))
            .mapToLong(Thread::threadId)
            .toArray();
    return Arrays.stream(threads.getThreadAllocatedBytes(ids)).sum();
  }

  @ParameterizedTest
  @CsvSource({
    "F32, 1", "F32, 2", "BF16, 1", "BF16, 2", "F16, 2", "Q8, 1", "Q8, 2", "Q4, 1", "Q4, 2"
  })
  void aDecodeStepAllocatesNothing(KvType type, int threads) {
    try (Team team = Team.of(threads);
        Fixture f = new Fixture(3, new KvShape(2, 2, 128, 80), type, type, 64, 6)) {
      f.append(601);
      MemorySegment q = f.queries(1);
      MemorySegment out = f.outputs(1);
      try (GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
        long own = allocatedBy(() -> {});
        // Until everything is compiled, vectors are objects. What counts is what comes then.
        long deadline = processTime() + 60_000_000_000L;
        long bytes;
        do {
          bytes =
              allocatedBy(() -> {
                for (int i = 0; i < STEPS; i++) {
                  attention.decode(f.cache.live(), i % 2, q, out);
                }
              })
                  - own;
        } while (bytes > 0 && processTime() < deadline);
        assertThat(bytes).as("bytes allocated in %d steps", STEPS).isLessThanOrEqualTo(0);
      }
    }
  }

  /**
   * Caches of all types and two widths in one JVM, as a server of several models has them: what the
   * kernels share must not stop being compiled into one piece with each of them.
   */
  @Test
  void neitherDoStepsOverManyFormatsInOneProcess() {
    List<Fixture> fixtures = Fixture.ofTenFormats();
    List<GqaAttention> attentions = new ArrayList<>();
    try (Team team = Team.of(1)) {
      for (Fixture f : fixtures) {
        attentions.add(GqaAttention.create(f.layout(), f.options, team));
      }
      MemorySegment q = fixtures.getLast().gaussian(14 * 128);
      MemorySegment out = fixtures.getLast().zeros(14 * 128);
      long own = allocatedBy(() -> {});
      long deadline = processTime() + 150_000_000_000L;
      long bytes;
      do {
        bytes =
            allocatedBy(() -> {
              for (int i = 0; i < attentions.size(); i++) {
                steps(attentions.get(i), fixtures.get(i).cache.live(), q, out, STEPS / 10);
              }
            })
                - own;
      } while (bytes > 0 && processTime() < deadline);
      assertThat(bytes).as("bytes allocated by steps of ten formats").isLessThanOrEqualTo(0);
    } finally {
      attentions.forEach(GqaAttention::close);
      fixtures.forEach(Fixture::close);
    }
  }

  /**
   * Memory of the process and mapped files in turns, in one JVM: two kinds of segments must not make
   * the kernels call through tables, or every vector becomes an object.
   */
  @ParameterizedTest
  @CsvSource({"F32", "BF16", "Q8"})
  void neitherDoStepsOverMemoryAndFilesInTurns(KvType type, @TempDir Path folder) {
    KvShape shape = new KvShape(1, 1, 64, 64);
    try (Team team = Team.of(1);
        KvCache memory = KvCache.builder(shape).type(type).build();
        KvCache files = KvCache.builder(shape).type(type).mappedIn(folder).build();
        Arena arena = Arena.ofConfined();
        GqaAttention attention =
            GqaAttention.create(memory.layout(), AttentionOptions.of(4, 64), team)) {
      MemorySegment rows = arena.allocate(200 * 64 * 4);
      for (KvCache cache : List.of(memory, files)) {
        cache.append(0, rows, rows, 200);
        cache.advance(200);
      }
      MemorySegment q = arena.allocate(4 * 64 * 4);
      MemorySegment out = arena.allocate(4 * 64 * 4);
      long own = allocatedBy(() -> {});
      long deadline = processTime() + 60_000_000_000L;
      long bytes;
      do {
        bytes =
            allocatedBy(() -> {
              steps(attention, memory.live(), q, out, STEPS / 2);
              steps(attention, files.live(), q, out, STEPS / 2);
            })
                - own;
      } while (bytes > 0 && processTime() < deadline);
      assertThat(bytes).as("bytes allocated in %d steps", STEPS).isLessThanOrEqualTo(0);
    }
  }

  /** Processor time of all threads, compilers included: a machine may be busy with other things. */
  private static long processTime() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }

  /** What a step keeps until its splits are merged grows with the context; it does not allocate. */
  @Test
  void noLengthMakesAStepAllocate() {
    int[] lengths = {16_383, 16_384, 16_385, 16_897, 40_000, 131_072, 131_073, 140_000};
    KvShape shape = new KvShape(1, 1, 16, 16);
    try (Team team = Team.of(2);
        Fixture f = new Fixture(4, shape, KvType.F32, KvType.F32, 1024, 2);
        GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
      MemorySegment rows = f.gaussian(1000 * 16L);
      while (f.cache.length() < 140_000) {
        f.cache.append(0, rows, rows, 1000);
        f.cache.advance(1000);
      }
      MemorySegment q = f.queries(1);
      MemorySegment out = f.outputs(1);
      KvView[] views = new KvView[lengths.length];
      KvCache[] forks = new KvCache[lengths.length];
      for (int i = 0; i < lengths.length; i++) {
        forks[i] = f.cache.fork(lengths[i]);
        views[i] = forks[i].live();
      }
      long own = allocatedBy(() -> {});
      long deadline = processTime() + 60_000_000_000L;
      long bytes;
      do {
        bytes = allocatedBy(() -> steps(attention, views[0], q, out, 100)) - own;
      } while (bytes > 0 && processTime() < deadline);
      assertThat(bytes).as("bytes allocated in 100 steps").isLessThanOrEqualTo(0);
      // The first steps ever at these lengths, each measured by itself. A length may lead the
      // compiled code where it never was, and the interpreter boxes a vector or two until it is
      // compiled again: so many bytes are let pass. A store that grew would be more.
      for (int i = 1; i < lengths.length; i++) {
        KvView view = views[i];
        assertThat(allocatedBy(() -> steps(attention, view, q, out, 1)) - own)
            .as("bytes allocated in the first step at %d tokens", lengths[i])
            .isLessThanOrEqualTo(1024);
      }
      List<KvView> batch = List.of(views[1], views[3], views[0]);
      MemorySegment batchQ = f.queries(3);
      MemorySegment batchOut = f.outputs(3);
      attention.decode(batch, 0, batchQ, batchOut);
      do {
        bytes =
            allocatedBy(() -> {
              for (int i = 0; i < 100; i++) {
                attention.decode(batch, 0, batchQ, batchOut);
              }
            })
                - own;
      } while (bytes > 0 && processTime() < deadline);
      assertThat(bytes).as("bytes allocated in 100 steps of 3").isLessThanOrEqualTo(0);
      for (KvCache fork : forks) {
        fork.close();
      }
    }
  }

  private static void steps(
      GqaAttention attention, KvView view, MemorySegment q, MemorySegment out, int count) {
    for (int i = 0; i < count; i++) {
      attention.decode(view, 0, q, out);
    }
  }

  /** Measured with the measuring's own share, which {@code own} above takes off again. */
  private static long allocatedBy(Runnable work) {
    long before = allocated();
    work.run();
    return allocated() - before;
  }
}
