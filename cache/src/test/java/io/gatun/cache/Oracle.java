package io.gatun.cache;

import java.util.Arrays;

/** What a stored row must look like, worked out value by value in the plainest way. */
final class Oracle {
  private Oracle() {}

  /** Scales and codes of one row. */
  record Coded(float[] scales, int[] codes) {
    float[] decoded() {
      float[] values = new float[codes.length];
      for (int i = 0; i < codes.length; i++) {
        values[i] = codes[i] * scales[i / 64];
      }
      return values;
    }
  }

  /** Quantises a row that was rotated already if it is to be. */
  static Coded quantize(KvType type, float[] row) {
    float[] scales = new float[(row.length + 63) / 64];
    int[] codes = new int[row.length];
    for (int from = 0; from < row.length; from += 64) {
      float[] group = Arrays.copyOfRange(row, from, Math.min(row.length, from + 64));
      boolean eight = type == KvType.Q8 || type == KvType.Q8_PLAIN;
      float scale = eight ? scale8(group) : scale4(group);
      scales[from / 64] = scale;
      for (int i = 0; i < group.length; i++) {
        int code = scale == 0 ? 0 : (int) Math.rint((double) (group[i] * (1f / scale)));
        codes[from + i] = eight ? code : Math.max(-8, Math.min(7, code));
      }
    }
    return new Coded(scales, codes);
  }

  private static float scale8(float[] group) {
    float largest = 0;
    for (float value : group) {
      largest = Math.max(largest, Math.abs(value));
    }
    float scale = largest / 127f;
    return scale < 0x1p-126f ? 0 : scale;
  }

  private static float scale4(float[] group) {
    float extreme = 0;
    for (float value : group) {
      if (Math.abs(value) > Math.abs(extreme) || value == -Math.abs(extreme)) {
        extreme = value;
      }
    }
    if (Math.abs(extreme) / 9f < 0x1p-126f) {
      return 0;
    }
    float best = 0;
    float bestError = Float.MAX_VALUE;
    for (float divisor : new float[] {8f, 8.5f, 9f}) {
      float error = error4(group, -extreme / divisor) / (divisor * divisor);
      if (error < bestError) {
        bestError = error;
        best = -extreme / divisor;
      }
    }
    return best;
  }

  /** The squared error in scales, in 16 sums that are then added in halves. */
  private static float error4(float[] group, float scale) {
    float[] sums = new float[16];
    for (int i = 0; i < group.length; i++) {
      float steps = group[i] * (1f / scale);
      float rest = steps - (float) Math.max(-8, Math.min(7, Math.rint((double) steps)));
      sums[i % 16] = (float) ((double) rest * rest + sums[i % 16]);
    }
    float[] eight = new float[8];
    for (int i = 0; i < 8; i++) {
      eight[i] = sums[i] + sums[i + 8];
    }
    float a = eight[0] + eight[4];
    float b = eight[1] + eight[5];
    float c = eight[2] + eight[6];
    float d = eight[3] + eight[7];
    return (a + c) + (b + d);
  }

  /** The bytes of a row's codes. */
  static byte[] pack(KvType type, int[] codes) {
    byte[] bytes = new byte[type.rowBytes(codes.length)];
    if (type == KvType.Q8 || type == KvType.Q8_PLAIN) {
      for (int i = 0; i < codes.length; i++) {
        bytes[i] = (byte) codes[i];
      }
      return bytes;
    }
    Arrays.fill(bytes, (byte) 0x88);
    for (int i = 0; i < codes.length; i++) {
      int group = i / 64;
      boolean half = codes.length - 64 * group <= 32;
      int slot = i % 64;
      int apart = half ? 16 : 32;
      int at = 32 * group + slot % apart;
      int nibble = codes[i] + 8;
      bytes[at] =
          (byte) (slot < apart ? bytes[at] & 0xf0 | nibble : bytes[at] & 0x0f | nibble << 4);
    }
    return bytes;
  }
}
