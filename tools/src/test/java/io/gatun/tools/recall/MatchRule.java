package io.gatun.tools.recall;

/**
 * What the model is to do, written without attention: the place whose preceding 24 bytes score best
 * against the last 24 of the context, the later of equal ones. The first 12 bytes are compared by
 * bits and parity, the others by parity only. Places with fewer than 24 bytes before them are left
 * out.
 */
final class MatchRule {
  private MatchRule() {}

  /** The position of the byte that follows, or -1. */
  static int source(byte[] context, int length) {
    int best = -1;
    double bestScore = Double.NEGATIVE_INFINITY;
    for (int p = 24; p < length; p++) {
      double score = score(context, length, p);
      if (score >= bestScore) {
        bestScore = score;
        best = p;
      }
    }
    return best;
  }

  private static double score(byte[] context, int length, int p) {
    double score = 0;
    double weight = Math.pow(1.1, 11);
    for (int back = 1; back <= 12; back++) {
      int differ = (context[p - back] ^ context[length - back]) & 0xff;
      int signs = Integer.bitCount(differ & 0x7f) + Integer.bitCount(differ) % 2;
      score += weight * (8 - 2 * signs);
      weight /= 1.1;
    }
    for (int back = 13; back <= 24; back++) {
      int differ = (context[p - back] ^ context[length - back]) & 0xff;
      score += Integer.bitCount(differ) % 2 == 0 ? 1 : -1;
    }
    return score;
  }

  /** Whether the last 24 bytes of {@code context[..length)} score fully at a place before. */
  static boolean isFullMatch(byte[] context, int length, int p) {
    double full = 12;
    for (int i = 0; i < 12; i++) {
      full += 8 * Math.pow(1.1, i);
    }
    return score(context, length, p) > full - 1e-6;
  }
}
