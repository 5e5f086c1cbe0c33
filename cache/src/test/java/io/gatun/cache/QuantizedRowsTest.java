package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizedRowsTest {
  private static final int HEADS = 2;

  private final Random random = new Random(4);

  private float[] gaussian(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static KvCache cache(KvType type, int keyDim, int valueDim) {
    return KvCache.builder(new KvShape(1, HEADS, keyDim, valueDim))
        .type(type)
        .blockTokens(16)
        .build();
  }

  private static float[] row(float[] rows, int row, int dim) {
    return Arrays.copyOfRange(rows, row * dim, (row + 1) * dim);
  }

  private static float[] turned(KvType type, float[] row) {
    float[] turned = row.clone();
    Hadamard.rotate(turned, 0, row.length, type.rotationBlock(row.length));
    return turned;
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void rowsAreStoredAsTheOracleSays(KvType type) {
    for (int dim : KvLayoutTest.DIMS) {
      int valueDim = dim % 3 == 0 ? dim + 7 : dim;
      int tokens = 37;
      float[] keys = gaussian(tokens * HEADS * dim);
      float[] values = gaussian(tokens * HEADS * valueDim);
      for (int i = 0; i < keys.length; i += 5) {
        keys[i] *= 20;
      }
      try (KvCache cache = cache(type, dim, valueDim)) {
        // In batches that cross block borders.
        for (int from = 0; from < tokens; from += 9) {
          int batch = Math.min(9, tokens - from);
          cache.append(
              0,
              MemorySegment.ofArray(keys).asSlice(4L * from * HEADS * dim),
              MemorySegment.ofArray(values).asSlice(4L * from * HEADS * valueDim),
              batch);
          cache.advance(batch);
        }
        KvView view = cache.live();
        KvLayout layout = view.layout();
        for (int t = 0; t < tokens; t++) {
          for (int head = 0; head < HEADS; head++) {
            int run = t / 16;
            float[] key = turned(type, row(keys, t * HEADS + head, dim));
            checkStored(
                type,
                key,
                view.keys(run),
                layout.keyOffset(0, head, t % 16),
                layout.keyScaleOffset(0, head, t % 16));
            float[] value = turned(type, row(values, t * HEADS + head, valueDim));
            checkStored(
                type,
                value,
                view.values(run),
                layout.valueOffset(0, head, t % 16),
                layout.valueScaleOffset(0, head, t % 16));
            float[] read = new float[dim];
            RowReader.storedKey(view, 0, head, t, read);
            assertThat(read).containsExactly(Oracle.quantize(type, key).decoded());
            float[] readValue = new float[valueDim];
            RowReader.storedValue(view, 0, head, t, readValue);
            assertThat(readValue).containsExactly(Oracle.quantize(type, value).decoded());
          }
        }
      }
    }
  }

  private static void checkStored(
      KvType type, float[] row, MemorySegment memory, long offset, long scaleOffset) {
    Oracle.Coded coded = Oracle.quantize(type, row);
    byte[] stored =
        memory.asSlice(offset, type.rowBytes(row.length)).toArray(ValueLayout.JAVA_BYTE);
    assertThat(stored).containsExactly(Oracle.pack(type, coded.codes()));
    for (int group = 0; group < coded.scales().length; group++) {
      assertThat(memory.get(KvType.LE_FLOAT, scaleOffset + 4L * group))
          .isEqualTo(coded.scales()[group]);
    }
  }

  /** Relative error, root mean square over rows, of what is read against what was appended. */
  private double error(KvType type, float[] keys, int dim) {
    int tokens = keys.length / (HEADS * dim);
    try (KvCache cache = cache(type, dim, dim)) {
      cache.append(0, MemorySegment.ofArray(keys), MemorySegment.ofArray(keys), tokens);
      double error = 0;
      double power = 0;
      float[] read = new float[dim];
      for (int row = 0; row < tokens * HEADS; row++) {
        RowReader.key(cache.live(), 0, row % HEADS, row / HEADS, read);
        for (int i = 0; i < dim; i++) {
          double x = keys[row * dim + i];
          error += (read[i] - x) * (read[i] - x);
          power += x * x;
        }
      }
      return Math.sqrt(error / power);
    }
  }

  @Test
  void roundTripErrors() {
    for (int dim : new int[] {64, 72, 80, 96, 100, 128, 192, 256, 576}) {
      float[] keys = gaussian(40 * HEADS * dim);
      for (KvType type : new KvType[] {KvType.Q8, KvType.Q8_PLAIN}) {
        assertThat(error(type, keys, dim)).as("%s %d", type, dim).isBetween(0.004, 0.0065);
      }
      for (KvType type : new KvType[] {KvType.Q4, KvType.Q4_PLAIN}) {
        // Small last groups have smaller extremes.
        assertThat(error(type, keys, dim)).as("%s %d", type, dim).isBetween(0.07, 0.094);
      }
    }
  }

  @Test
  void rotationSavesRowsWithAFewLargeChannels() {
    float[] keys = gaussian(40 * HEADS * 128);
    for (int i = 0; i < keys.length; i += 128) {
      keys[i + 3] *= 20;
      keys[i + 77] *= 20;
    }
    assertThat(error(KvType.Q8, keys, 128)).isLessThan(0.5 * error(KvType.Q8_PLAIN, keys, 128));
    assertThat(error(KvType.Q4, keys, 128)).isLessThan(0.6 * error(KvType.Q4_PLAIN, keys, 128));
  }

  @Test
  void fourBitScalesOfTheLeastErrorBeatTheFixedOnes() {
    float[] rows = gaussian(64 * 2000);
    double power = 0;
    double chosen = 0;
    double eighth = 0;
    double seventh = 0;
    for (int from = 0; from < rows.length; from += 64) {
      float[] group = Arrays.copyOfRange(rows, from, from + 64);
      Oracle.Coded coded = Oracle.quantize(KvType.Q4_PLAIN, group);
      float extreme = 0;
      for (int i = 0; i < 64; i++) {
        power += group[i] * group[i];
        double rest = group[i] - coded.codes()[i] * coded.scales()[0];
        chosen += rest * rest;
        extreme = Math.abs(group[i]) > Math.abs(extreme) ? group[i] : extreme;
      }
      for (float value : group) {
        eighth += squaredError(value, -extreme / 8);
        seventh += squaredError(value, extreme / 7);
      }
    }
    assertThat(Math.sqrt(chosen / power)).isCloseTo(0.0910, within(0.001));
    assertThat(Math.sqrt(eighth / power)).isCloseTo(0.0950, within(0.001));
    assertThat(Math.sqrt(seventh / power)).isCloseTo(0.1077, within(0.001));
  }

  private static double squaredError(float value, float scale) {
    double rest = value - Math.clamp(Math.rint(value / scale), -8, 7) * scale;
    return rest * rest;
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void extremeMagnitudesStayFinite(KvType type) {
    float largest = Math.nextDown(0x1p112f);
    float[] magnitudes = {
      Float.MIN_VALUE,
      64 * Float.MIN_VALUE,
      0x1p-130f,
      Float.MIN_NORMAL,
      0x1p-119f,
      1e-30f,
      1f,
      1e30f,
      largest
    };
    for (int dim : new int[] {1, 72, 100, 128, 256}) {
      for (float magnitude : magnitudes) {
        for (int pattern = 0; pattern < 4; pattern++) {
          float[] rows = new float[HEADS * dim];
          for (int i = 0; i < rows.length; i++) {
            rows[i] =
                switch (pattern) {
                  case 0 -> magnitude;
                  case 1 -> i % 2 == 0 ? magnitude : -magnitude;
                  case 2 -> i == 0 ? -magnitude : 0f;
                  default -> random.nextFloat() * magnitude;
                };
          }
          try (KvCache cache = cache(type, dim, dim)) {
            MemorySegment segment = MemorySegment.ofArray(rows);
            cache.append(0, segment, segment, 1);
            float[] read = new float[dim];
            RowReader.key(cache.live(), 0, 0, 0, read);
            double norm = 0;
            double error = 0;
            for (int i = 0; i < dim; i++) {
              assertThat(read[i]).isFinite();
              norm += (double) rows[i] * rows[i];
              error += Math.pow((double) read[i] - rows[i], 2);
            }
            // Half a step for each of 64 values at the most, of the largest over 127 or 8; a group
            // of numbers below 2^-119 or so is stored as zeros.
            double bound = (type.bits() == 8 ? 0.032 : 0.5) * Math.sqrt(norm) + dim * 0x1p-119;
            assertThat(Math.sqrt(error))
                .as("%s, %d dims, magnitude %s, pattern %d", type, dim, magnitude, pattern)
                .isLessThan(bound);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void valuesThatCannotBeStoredAreRefusedByName(KvType type) {
    float[] rows = new float[3 * HEADS * 72];
    MemorySegment segment = MemorySegment.ofArray(rows);
    try (KvCache cache = cache(type, 72, 72)) {
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
        rows[(2 * HEADS + 1) * 72 + 70] = bad;
        assertThatThrownBy(() -> cache.append(0, segment, segment, 3))
            .isInstanceOf(GatunException.class)
            .hasMessage("key value " + bad + " is not finite: layer 0, KV head 1, token 2, dim 70");
      }
      rows[(2 * HEADS + 1) * 72 + 70] = -0x1p112f;
      assertThatThrownBy(() -> cache.append(0, segment, segment, 3))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("too large for " + type.label())
          .hasMessageContaining("layer 0, KV head 1, token 2, dim 70");
      assertThat(cache.pending(0)).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void zerosStayZeros(KvType type) {
    try (KvCache cache = cache(type, 80, 80)) {
      MemorySegment zeros = MemorySegment.ofArray(new float[HEADS * 80]);
      cache.append(0, zeros, zeros, 1);
      float[] read = new float[80];
      RowReader.key(cache.live(), 0, 1, 0, read);
      assertThat(read).containsOnly(0f);
    }
  }

  @Test
  void valuesInKeysAreReadFromTheKeyRows() {
    for (KvType type : KvType.values()) {
      float[] keys = gaussian(3 * 192);
      try (KvCache cache = KvCache.builder(KvShape.latent(1, 128, 64)).type(type).build()) {
        cache.append(0, MemorySegment.ofArray(keys), null, 3);
        float[] key = new float[192];
        float[] value = new float[128];
        RowReader.key(cache.live(), 0, 0, 2, key);
        RowReader.value(cache.live(), 0, 0, 2, value);
        assertThat(value).containsExactly(Arrays.copyOf(key, 128));
        assertThat(key[100]).isCloseTo(keys[2 * 192 + 100], within(0.5f));
      }
    }
  }
}
