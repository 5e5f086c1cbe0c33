package io.gatun.tools.recall;

import static io.gatun.tools.recall.RecallDesign.*;

import io.gatun.cache.KvCache;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Fills a cache with the rows that the model would leave there, straight from the bytes, without a
 * forward pass: a context of any length in linear time. From the 25th token on they are the model's
 * own; before that, the first byte stands where there is none.
 */
final class ClosedForm {
  private static final int BATCH = 1024;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final byte[] bytes;
  private final double[] frequencies = new double[PAIRS];
  private final float[] row = new float[HEAD_DIM];

  ClosedForm(byte[] bytes) {
    this.bytes = bytes;
    for (int pair = 0; pair < PAIRS; pair++) {
      frequencies[pair] = frequency(pair);
    }
  }

  void fill(KvCache cache) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment keys = arena.allocate(4L * BATCH * KV_HEADS * HEAD_DIM);
      MemorySegment values = arena.allocate(4L * BATCH * KV_HEADS * HEAD_DIM);
      for (int start = 0; start < bytes.length; start += BATCH) {
        int count = Math.min(BATCH, bytes.length - start);
        for (int layer = 0; layer < LAYERS; layer++) {
          for (int i = 0; i < count; i++) {
            for (int head = 0; head < KV_HEADS; head++) {
              key(layer, head, start + i);
              put(keys, i, head);
              value(layer, head, start + i);
              put(values, i, head);
            }
          }
          cache.append(layer, keys, values, count);
        }
        cache.advance(count);
      }
    }
  }

  private void put(MemorySegment rows, int token, int head) {
    MemorySegment.copy(row, 0, rows, FLOAT, 4L * (token * KV_HEADS + head) * HEAD_DIM, HEAD_DIM);
  }

  private int sign(int position, int back, int sign) {
    return ByteCode.sign(bytes[Math.max(0, position - back)], sign);
  }

  private void key(int layer, int head, int position) {
    Arrays.fill(row, 0);
    if (layer == 0) {
      Arrays.fill(row, 0, DISTANCE_PAIRS, 1);
    } else if (head == 0) {
      row[RECENCY_PAIR] = 1;
      for (int back = 1; back <= MATCH; back++) {
        if (back > WHOLE) {
          row[parityDim(back)] = (float) KEY_SIGN * sign(position, back, ByteCode.PARITY);
          continue;
        }
        for (int sign = 0; sign < ByteCode.DIM; sign++) {
          row[signDim(back, sign)] = (float) KEY_SIGN * sign(position, back, sign);
        }
      }
    }
    for (int pair = 0; pair < PAIRS; pair++) {
      if (row[pair] != 0 || row[pair + PAIRS] != 0) {
        double angle = position * frequencies[pair];
        double x = row[pair];
        double y = row[pair + PAIRS];
        row[pair] = (float) (x * Math.cos(angle) - y * Math.sin(angle));
        row[pair + PAIRS] = (float) (x * Math.sin(angle) + y * Math.cos(angle));
      }
    }
  }

  private void value(int layer, int head, int position) {
    Arrays.fill(row, 0);
    if (layer == 0 || head == 0) {
      for (int sign = 0; sign < ByteCode.DIM; sign++) {
        row[sign] = sign(position, 0, sign);
      }
    }
  }
}
