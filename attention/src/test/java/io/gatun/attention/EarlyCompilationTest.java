package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Kernels that are compiled long before they have met all that comes, as on a machine that is busy:
 * {@code attention/pom.xml} runs this with {@code -XX:CompileThresholdScaling=0.3} in a JVM of its
 * own. Before {@link VectorWarmup}, and before key kernels were written so that C2 knows their types,
 * some formats allocated for good then, in 7 of 8 runs with 512-bit vectors.
 */
@Tag("compiled-early")
class EarlyCompilationTest {
  private static final int STEPS = 200;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @Test
  void noFormatAllocatesForGood() {
    List<Fixture> fixtures = Fixture.ofTenFormats();
    List<GqaAttention> attentions = new ArrayList<>();
    List<String> allocating = new ArrayList<>();
    try (Team team = Team.of(1)) {
      for (Fixture f : fixtures) {
        attentions.add(GqaAttention.create(f.layout(), f.options, team));
      }
      MemorySegment q = fixtures.getLast().gaussian(14 * 128);
      MemorySegment out = fixtures.getLast().zeros(14 * 128);
      // Each for long enough to be compiled before the next comes.
      long deadline = processTime() + 120_000_000_000L;
      do {
        allocating.clear();
        for (int i = 0; i < attentions.size(); i++) {
          // What the measuring itself allocates.
          long own = -allocated() + allocated();
          long before = allocated();
          for (int step = 0; step < STEPS; step++) {
            attentions.get(i).decode(fixtures.get(i).cache.live(), 0, q, out);
          }
          long bytes = allocated() - before - own;
          if (bytes > 0) {
            allocating.add("%s: %d".formatted(fixtures.get(i).layout(), bytes));
          }
        }
      } while (!allocating.isEmpty() && processTime() < deadline);
      assertThat(allocating).as("layouts, and bytes they allocate in %d steps", STEPS).isEmpty();
    } finally {
      attentions.forEach(GqaAttention::close);
      fixtures.forEach(Fixture::close);
    }
  }

  private static long allocated() {
    return THREADS.getCurrentThreadAllocatedBytes();
  }

  /** Processor time of all threads, compilers included: a machine may be busy with other things. */
  private static long processTime() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }
}
