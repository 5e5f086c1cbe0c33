package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
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

  /** Processor time of all threads, compilers included: a machine may be busy with other things. */
  private static long processTime() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }

  /** Measured with the measuring's own share, which {@code own} above takes off again. */
  private static long allocatedBy(Runnable work) {
    long before = allocated();
    work.run();
    return allocated() - before;
  }
}
