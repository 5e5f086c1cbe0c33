package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * How far attention over a quantised cache is from attention over the rows that went into it: the
 * root mean square difference as a share of that of the output. KERNEL.md has these figures.
 */
class QuantErrorTest {
  private static final KvShape SHAPE = new KvShape(1, 2, 128, 128);
  private static final int HEADS = 8;
  private static final int TOKENS = 1000;
  private static final int QUERIES = 16;
  private static final long SEED = 20260;

  @Test
  void gaussianRows() {
    Map<KvType, Double> errors = errors(1);
    assertThat(errors.get(KvType.Q8)).isLessThan(0.012);
    assertThat(errors.get(KvType.Q8_PLAIN)).isLessThan(0.012);
    assertThat(errors.get(KvType.Q4)).isLessThan(0.16);
    assertThat(errors.get(KvType.Q4_PLAIN)).isLessThan(0.16);
  }

  @Test
  void rotationTamesChannelsOfLargeValues() {
    Map<KvType, Double> errors = errors(20);
    assertThat(errors.get(KvType.Q8)).isLessThan(0.5 * errors.get(KvType.Q8_PLAIN));
    assertThat(errors.get(KvType.Q4)).isLessThan(0.5 * errors.get(KvType.Q4_PLAIN));
  }

  /** Every 32nd channel of the rows is {@code outlier} times as large as the others. */
  private static Map<KvType, Double> errors(float outlier) {
    Map<KvType, Double> errors = new EnumMap<>(KvType.class);
    try (Arena arena = Arena.ofShared();
        Team team = Team.of(1)) {
      Random random = new Random(SEED);
      int rowValues = SHAPE.kvHeads() * SHAPE.keyDim();
      MemorySegment keys = rows(arena, random, TOKENS * rowValues, outlier);
      MemorySegment values = rows(arena, random, TOKENS * rowValues, outlier);
      // Of a size that leaves the scores with a deviation near 1, whatever the outliers.
      float norm = (float) Math.sqrt((31 + outlier * outlier) / 32);
      MemorySegment q = rows(arena, random, QUERIES * HEADS * SHAPE.keyDim(), 1);
      for (long i = 0; i < q.byteSize() / Float.BYTES; i++) {
        q.setAtIndex(FLOAT, i, q.getAtIndex(FLOAT, i) / norm);
      }
      float[] exact = attend(arena, team, KvType.F32, keys, values, q);
      for (KvType type : KvType.values()) {
        if (type.quantized()) {
          float[] out = attend(arena, team, type, keys, values, q);
          double difference = 0;
          double size = 0;
          for (int i = 0; i < out.length; i++) {
            difference += Math.pow(out[i] - exact[i], 2);
            size += Math.pow(exact[i], 2);
          }
          errors.put(type, Math.sqrt(difference / size));
        }
      }
    }
    System.out.printf("seed %d, outliers x %.0f: %s%n", SEED, outlier, errors);
    return errors;
  }

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private static MemorySegment rows(Arena arena, Random random, int count, float outlier) {
    MemorySegment rows = arena.allocate((long) count * Float.BYTES, 64);
    for (int i = 0; i < count; i++) {
      float value = (float) random.nextGaussian();
      rows.setAtIndex(FLOAT, i, i % 32 == 5 ? value * outlier : value);
    }
    return rows;
  }

  private static float[] attend(
      Arena arena,
      Team team,
      KvType type,
      MemorySegment keys,
      MemorySegment values,
      MemorySegment q) {
    MemorySegment out = arena.allocate((long) QUERIES * HEADS * SHAPE.valueDim() * Float.BYTES, 64);
    try (KvCache cache = KvCache.builder(SHAPE).type(type).build();
        GqaAttention attention =
            GqaAttention.create(cache.layout(), AttentionOptions.of(HEADS, SHAPE.keyDim()), team)) {
      cache.append(0, keys, values, TOKENS);
      cache.advance(TOKENS);
      attention.prefill(cache.live(), 0, QUERIES, q, out);
    }
    return out.toArray(FLOAT);
  }
}
