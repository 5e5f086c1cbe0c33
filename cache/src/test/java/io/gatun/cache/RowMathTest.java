package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The vector encoder leaves the bits of the plain one, cold and compiled. */
class RowMathTest {
  private final RowMath plain = new PlainRowMath();
  private final RowMath vector = new VectorRowMath();

  private static float[] values(Random random, int count, int kind) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] =
          switch (kind) {
            case 0 -> (float) random.nextGaussian();
            case 1 -> random.nextInt(9) - 4; // ties, zeros
            case 2 -> i % 7 == 0 ? -0f : Math.scalb(random.nextFloat() - 0.5f, -100 - i);
            case 3 -> Math.scalb(random.nextFloat() - 0.5f, random.nextInt(220) - 110);
            case 4 -> random.nextBoolean() ? 3.5f : -3.5f;
            default -> random.nextInt(200) * Float.MIN_VALUE;
          };
    }
    return values;
  }

  @Test
  void vectorsAreWhatTheTestsRunOn() {
    assertThat(RowMath.best()).isInstanceOf(VectorRowMath.class);
  }

  @Test
  void groupsHaveTheSameBits() {
    long seed = new Random().nextLong();
    System.out.println("RowMathTest seed " + seed);
    Random random = new Random(seed);
    byte[] expected = new byte[3 + 64 + RowMath.SPILL];
    byte[] actual = new byte[3 + 64 + RowMath.SPILL];
    float[] errors = new float[Quantizer.ERROR_LANES];
    for (int round = 0; round < 30_000; round++) {
      int at = random.nextInt(5);
      float[] group = values(random, 64 + at, round % 6);
      float scale = plain.group8(group, at, expected, 3);
      assertSame(vector.group8(group, at, actual, 3), scale, actual, expected, 64, seed, round);
      int bytes = round % 4 == 0 ? 16 : 32;
      Arrays.fill(group, at + 2 * bytes, at + 64, 0f);
      scale = plain.group4(group, at, expected, 3, bytes, errors);
      float vectorScale = vector.group4(group, at, actual, 3, bytes, errors);
      assertSame(vectorScale, scale, actual, expected, bytes, seed, round);
    }
  }

  @Test
  void bfloat16HasTheSameBits() {
    Random random = new Random(6);
    short[] expected = new short[128];
    short[] actual = new short[128];
    for (int round = 0; round < 12_000; round++) {
      float[] row = values(random, 128, round % 6);
      plain.bfloat16(row, 128, expected);
      vector.bfloat16(row, 72 + round % 57, actual);
      int count = 72 + round % 57;
      assertThat(Arrays.equals(actual, 0, count, expected, 0, count))
          .as("round %d", round)
          .isTrue();
    }
  }

  private static void assertSame(
      float actual,
      float expected,
      byte[] actualCodes,
      byte[] expectedCodes,
      int count,
      long seed,
      int round) {
    if (Float.floatToRawIntBits(actual) != Float.floatToRawIntBits(expected)
        || !Arrays.equals(actualCodes, 3, 3 + count, expectedCodes, 3, 3 + count)) {
      throw new AssertionError(
          "seed %d, round %d: scale %s, not %s; codes %s, not %s"
              .formatted(
                  seed,
                  round,
                  actual,
                  expected,
                  Arrays.toString(actualCodes),
                  Arrays.toString(expectedCodes)));
    }
  }

  @Test
  void rotationsHaveTheSameBits() {
    Random random = new Random(3);
    int[] dims = {2, 4, 8, 12, 16, 24, 32, 40, 64, 72, 80, 96, 100, 128, 192, 256, 576, 1024};
    for (int round = 0; round < 12_000; round++) {
      int dim = dims[round % dims.length];
      float[] expected = values(random, dim + 3, round % 4);
      float[] actual = expected.clone();
      plain.rotate(expected, 3, dim, Hadamard.block(dim));
      vector.rotate(actual, 3, dim, Hadamard.block(dim));
      for (int i = 0; i < expected.length; i++) {
        if (Float.floatToRawIntBits(actual[i]) != Float.floatToRawIntBits(expected[i])) {
          throw new AssertionError(
              "round %d, %d dims, value %d: %s, not %s"
                  .formatted(round, dim, i, actual[i], expected[i]));
        }
      }
    }
  }
}
