package io.gatun.tools.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.tools.matrix.Activations;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class NormsTest {
  @Test
  void expIsRightToF32Rounding() {
    double worst = 0;
    for (float x = -86.9f; x < 87.9f; x += 0.00137f) {
      worst = Math.max(worst, Math.abs(Norms.exp(x) / Math.exp(x) - 1));
    }
    assertThat(worst).isLessThan(2.5e-7);
    assertThat(Norms.exp(0)).isEqualTo(1f);
    assertThat(Norms.exp(-1000)).isPositive().isLessThan(1e-37f);
    assertThat(Norms.exp(1000)).isFinite().isGreaterThan(1e38f);
  }

  @Test
  void siluIsRightEverywhere() {
    for (float x :
        new float[] {-1e30f, -200, -90, -87, -20, -1, -1e-8f, 0, 1e-8f, 1, 20, 90, 1e30f}) {
      double expected = x / (1 + Math.exp(-(double) x));
      assertThat((double) Norms.silu(x))
          .as("silu(%s)", x)
          .isCloseTo(
              expected,
              org.assertj.core.api.Assertions.within(
                  Math.max(1e-6 * Math.abs(expected), x < -80 ? Math.abs(x) * 1e-37 : 1e-30)));
    }
  }

  @Test
  void rmsNormIsRightAtAwkwardSizes() {
    Random random = new Random(4);
    for (int dim : new int[] {1, 7, 8, 9, 1024, 1031, 3000}) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment x = arena.allocate(4L * dim + 4);
        MemorySegment gain = arena.allocate(4L * dim);
        double sum = 0;
        for (int i = 0; i < dim; i++) {
          float value = (float) (1e-4 * random.nextGaussian());
          x.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 + 4L * i, value);
          gain.set(ValueLayout.JAVA_FLOAT, 4L * i, (float) random.nextGaussian());
          sum += (double) value * value;
        }
        Activations out = new Activations(3, dim, arena);
        Norms.rms(x, 4, gain, 1e-6, out, 2);
        for (int i = 0; i < dim; i++) {
          double expected =
              x.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 + 4L * i)
                  / Math.sqrt(sum / dim + 1e-6)
                  * gain.get(ValueLayout.JAVA_FLOAT, 4L * i);
          float found = out.data().get(ValueLayout.JAVA_FLOAT_UNALIGNED, out.offset(2, i));
          assertThat((double) found)
              .isCloseTo(
                  expected, org.assertj.core.api.Assertions.within(1e-6 * Math.abs(expected)));
        }
      }
    }
  }
}
