package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HadamardTest {
  private final Random random = new Random(8);

  private float[] gaussian(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  @ParameterizedTest
  @CsvSource({
    "1,1",
    "5,1",
    "64,64",
    "72,8",
    "80,16",
    "96,32",
    "100,4",
    "128,128",
    "192,64",
    "256,256",
    "512,256",
    "576,64",
    "768,256",
    "65536,256"
  })
  void blockIsTheLargestPowerOfTwoInTheWidth(int dim, int block) {
    assertThat(Hadamard.block(dim)).isEqualTo(block);
  }

  /** The matrix by its definition: entry (i, j) is minus one to the number of bits i and j share. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64, 128, 256})
  void agreesWithTheMatrixInDouble(int block) {
    float[] in = gaussian(3 * block);
    float[] out = new float[3 * block + 2];
    System.arraycopy(in, 0, out, 1, in.length);
    out[0] = 7;
    out[out.length - 1] = 9;
    Hadamard.rotate(out, 1, in.length, block);
    assertThat(out[0]).isEqualTo(7f);
    assertThat(out[out.length - 1]).isEqualTo(9f);
    for (int from = 0; from < in.length; from += block) {
      double norm = 0;
      for (int j = 0; j < block; j++) {
        norm += (double) in[from + j] * in[from + j];
      }
      double bound = (Math.log(block) / Math.log(2) + 2) * 0x1p-24 * Math.sqrt(norm);
      for (int i = 0; i < block; i++) {
        double sum = 0;
        for (int j = 0; j < block; j++) {
          sum += Integer.bitCount(i & j) % 2 == 0 ? in[from + j] : -in[from + j];
        }
        assertThat((double) out[1 + from + i])
            .isCloseTo(sum / Math.sqrt(block), within(block == 1 ? 0 : bound));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 72, 80, 96, 100, 128, 192, 256, 576})
  void isItsOwnInverseAndKeepsDotProducts(int dim) {
    float[] x = gaussian(dim);
    float[] y = gaussian(dim);
    float[] turnedX = x.clone();
    float[] turnedY = y.clone();
    Hadamard.rotate(turnedX, 0, dim, Hadamard.block(dim));
    Hadamard.rotate(turnedY, 0, dim, Hadamard.block(dim));
    double dot = 0;
    double turnedDot = 0;
    for (int i = 0; i < dim; i++) {
      dot += (double) x[i] * y[i];
      turnedDot += (double) turnedX[i] * turnedY[i];
    }
    assertThat(turnedDot).isCloseTo(dot, within(1e-4));
    Hadamard.rotate(turnedX, 0, dim, Hadamard.block(dim));
    for (int i = 0; i < dim; i++) {
      assertThat(turnedX[i]).isCloseTo(x[i], within(1e-5f));
    }
  }

  @Test
  void whatIsNoBlockIsRefused() {
    float[] values = new float[64];
    assertThatThrownBy(() -> Hadamard.rotate(values, 0, 64, 24)).hasMessageContaining("24");
    assertThatThrownBy(() -> Hadamard.rotate(values, 0, 64, 512)).hasMessageContaining("512");
    assertThatThrownBy(() -> Hadamard.rotate(values, 0, 48, 32))
        .hasMessage("48 values are not whole blocks of 32");
    assertThatThrownBy(() -> Hadamard.rotate(values, 16, 64, 32))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
