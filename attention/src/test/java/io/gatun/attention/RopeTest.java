package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RopeTest {
  private static final RopeConfig.Llama3 LLAMA3 = new RopeConfig.Llama3(8, 1, 4, 8192);

  private static float[] gaussian(int count) {
    Random random = new Random(count);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 127, 4095, 131_071, 1_000_003, 5_000_000_000L})
  void turnsPairsOfHalves(long position) {
    int heads = 3;
    int dim = 64;
    int rotary = 48;
    RopeConfig config = RopeConfig.of(dim, 500_000).withRotaryDim(rotary).withScaling(LLAMA3);
    float[] x = gaussian(heads * dim + 1);
    float[] y = x.clone();
    Rope.of(config).apply(MemorySegment.ofArray(y), 4, heads, position);
    assertThat(y[0]).isEqualTo(x[0]);
    for (int head = 0; head < heads; head++) {
      int at = 1 + head * dim;
      for (int i = 0; i < rotary / 2; i++) {
        double angle = position * config.frequency(i);
        double a = x[at + i];
        double b = x[at + i + rotary / 2];
        // An angle of a million radians has 2^-33 left of a double; rows are f32.
        assertThat((double) y[at + i])
            .isCloseTo(a * Math.cos(angle) - b * Math.sin(angle), within(5e-7));
        assertThat((double) y[at + i + rotary / 2])
            .isCloseTo(b * Math.cos(angle) + a * Math.sin(angle), within(5e-7));
      }
      for (int i = rotary; i < dim; i++) {
        assertThat(y[at + i]).isEqualTo(x[at + i]);
      }
    }
  }

  @Test
  void aScoreDependsOnTheDistanceAlone() {
    int dim = 32;
    Rope rope = Rope.of(RopeConfig.of(dim, 10_000));
    float[] q = gaussian(dim);
    float[] k = gaussian(dim + 1);
    double expected = Double.NaN;
    for (long start : new long[] {0, 1, 1000, 99_990}) {
      float[] turnedQ = q.clone();
      float[] turnedK = Arrays.copyOf(k, dim);
      rope.apply(MemorySegment.ofArray(turnedQ), 0, 1, start + 9);
      rope.apply(MemorySegment.ofArray(turnedK), 0, 1, start);
      double dot = 0;
      for (int i = 0; i < dim; i++) {
        dot += (double) turnedQ[i] * turnedK[i];
      }
      expected = start == 0 ? dot : expected;
      assertThat(dot).isCloseTo(expected, within(1e-5));
    }
  }

  /** Llama 3.1's frequencies, from the formula by hand: theta 500,000, 128 dims. */
  @Test
  void llama3ScalesTheLongWaves() {
    RopeConfig plain = RopeConfig.of(128, 500_000);
    RopeConfig scaled = plain.withScaling(LLAMA3);
    assertThat(plain.frequency(0)).isEqualTo(1);
    assertThat(plain.frequency(32)).isCloseTo(1 / Math.sqrt(500_000), within(1e-15));
    int kept = 0;
    int divided = 0;
    for (int i = 0; i < 64; i++) {
      double wave = 2 * Math.PI / plain.frequency(i);
      double f = scaled.frequency(i);
      if (wave < 8192 / 4.0) {
        assertThat(f).isEqualTo(plain.frequency(i));
        kept++;
      } else if (wave > 8192) {
        assertThat(f).isEqualTo(plain.frequency(i) / 8);
        divided++;
      } else {
        double smooth = (8192 / wave - 1) / 3;
        assertThat(f).isCloseTo(plain.frequency(i) * ((1 - smooth) / 8 + smooth), within(1e-15));
      }
    }
    assertThat(kept).isEqualTo(29);
    assertThat(divided).isEqualTo(29);
    assertThat(RopeConfig.of(128, 1e4).withScaling(new RopeConfig.Linear(4)).frequency(0))
        .isEqualTo(0.25);
  }

  @Test
  void namesWhatIsWrong() {
    assertThatThrownBy(() -> RopeConfig.of(1, 1e4)).hasMessage("headDim is 1, not at least 2");
    assertThatThrownBy(() -> RopeConfig.of(64, 0))
        .hasMessage("theta is 0.0, not finite and greater than 0");
    assertThatThrownBy(() -> RopeConfig.of(64, 1e4).withRotaryDim(66))
        .hasMessage("rotaryDim is 66, not an even number from 2 to headDim = 64");
    assertThatThrownBy(() -> new RopeConfig.Llama3(0.5, 1, 4, 8192))
        .hasMessage("rope scaling factor is 0.5, not finite and at least 1");
    assertThatThrownBy(() -> new RopeConfig.Llama3(8, 4, 4, 8192))
        .hasMessage("low_freq_factor is 4.0 and high_freq_factor 4.0, not 0 < low < high");
    assertThatThrownBy(() -> new RopeConfig.Llama3(8, 1, 4, 0))
        .hasMessage("original_max_position_embeddings is 0, not at least 1");
    Rope rope = Rope.of(RopeConfig.of(4, 1e4));
    assertThatThrownBy(() -> rope.apply(MemorySegment.ofArray(new float[4]), 0, 1, -1))
        .hasMessage("position is -1, not 0 or more");
    assertThatThrownBy(() -> rope.apply(MemorySegment.ofArray(new float[4]), 0, 2, 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
