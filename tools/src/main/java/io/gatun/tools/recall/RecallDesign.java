package io.gatun.tools.recall;

/**
 * The numbers of the model and the layout of its vectors; {@link io.gatun.tools.recall the package}
 * explains them.
 *
 * <pre>
 *   residual stream, f32 [128]
 *     0          the constant 256
 *     1 + 8 j    slot j = 0..12: the eight signs of the byte j tokens back   [13][8]
 *     105 + i    slots 13..24: the parity of the byte 13 + i tokens back     [12]
 *     117        signs of the predicted byte                                 [8]
 *     125        unused                                                      [3]
 *
 *   query and key rows, f32 [128]: pair i is the dimensions (i, i + 64)
 *     pairs  0..9    layer 1: the distance; layer 2: pair 9 the recency
 *     pairs 10..15   layer 2: parities of 12 bytes
 *     pairs 16..63   layer 2: signs of 12 bytes
 * </pre>
 */
final class RecallDesign {
  static final int LAYERS = 2;
  static final int HIDDEN = 128;

  /** Bytes of the context that are compared; a query head of layer 1 fetches each of them. */
  static final int MATCH = 24;

  /** Those of them that must match sign by sign; the others are compared by their parity. */
  static final int WHOLE = 12;

  static final int HEADS = MATCH;
  static final int KV_HEADS = 2;
  static final int HEAD_DIM = 128;
  static final int PAIRS = HEAD_DIM / 2;

  /** Width of the SwiGLU layers, whose weights are all zero. */
  static final int INTERMEDIATE = 64;

  static final int VOCAB = 256;

  /** Below the largest f32, so that runners which compute angles in f32 can hold it. */
  static final double ROPE_THETA = 1e38;

  static final double RMS_NORM_EPS = 1e-6;

  /** Tokens for which the margins are proven. */
  static final int MAX_POSITIONS = 1 << 18;

  // Residual stream
  static final int CONSTANT = 0;
  static final int OUT = 117;

  /** Large against the signs, so that the norm hardly depends on them. */
  static final double CONSTANT_VALUE = 256;

  // Layer 1

  /** Pairs that measure the distance. */
  static final int DISTANCE_PAIRS = 10;

  /** Score that each of them adds at the wanted distance. */
  static final double DISTANCE_SCORE = 128;

  // Layer 2
  static final int RECENCY_PAIR = 9;
  static final int PARITY_PAIRS = 10;
  static final int SIGN_PAIRS = 16;

  /** In the middle between two powers of two: the farthest from any rounding step of F16, BF16. */
  static final double KEY_SIGN = 1.5;

  /** What recency can add or take. */
  static final double RECENCY_SCORE = 1 << 18;

  /** Score of one equal parity; an unequal one takes it away. */
  static final double PARITY_SCORE = 0.625 * RECENCY_SCORE;

  /** Score of one equal sign of the oldest whole byte; each byte after it counts GROWTH times more. */
  static final double SIGN_SCORE = PARITY_SCORE;

  static final double GROWTH = 1.1;

  /** Logit of each sign that agrees: 80 for the predicted byte, 60 for one that differs in a sign. */
  static final double LOGIT = 10;

  private RecallDesign() {}

  /** Radians per position of a pair. */
  static double frequency(int pair) {
    return Math.pow(ROPE_THETA, -2.0 * pair / HEAD_DIM);
  }

  /** Where in the residual stream a sign of slot {@code slot} stands; past WHOLE, only the parity. */
  static int slot(int slot, int sign) {
    if (slot <= WHOLE) {
      return 1 + ByteCode.DIM * slot + sign;
    }
    if (sign != ByteCode.PARITY || slot > MATCH) {
      throw new IllegalArgumentException("slot %d has no sign %d".formatted(slot, sign));
    }
    return 1 + ByteCode.DIM * (WHOLE + 1) + slot - (WHOLE + 1);
  }

  /** Mean square of the residual stream once {@code slots} slots are filled, and the output or not. */
  static double meanSquare(int slots, boolean output) {
    int whole = Math.min(slots, WHOLE + 1);
    int signs = ByteCode.DIM * whole + (slots - whole) + (output ? ByteCode.DIM : 0);
    return (CONSTANT_VALUE * CONSTANT_VALUE + signs) / HIDDEN;
  }

  /** Dimension of a layer-2 key where sign {@code sign} of the byte {@code back} tokens back stands. */
  static int signDim(int back, int sign) {
    return content(SIGN_PAIRS, PAIRS - SIGN_PAIRS, ByteCode.DIM * (back - 1) + sign);
  }

  /** Dimension of a layer-2 key where the parity of the byte {@code back} tokens back stands. */
  static int parityDim(int back) {
    return content(PARITY_PAIRS, SIGN_PAIRS - PARITY_PAIRS, back - WHOLE - 1);
  }

  private static int content(int firstPair, int pairs, int index) {
    return index < pairs ? firstPair + index : PAIRS + firstPair + index - pairs;
  }

  /** Score of one equal sign of the byte that is compared with the one {@code back} before a key. */
  static double signScore(int back) {
    return SIGN_SCORE * Math.pow(GROWTH, WHOLE - back);
  }

  /** Score of a key whose {@code MATCH} bytes are all equal, recency aside. */
  static double fullScore() {
    double sum = (MATCH - WHOLE) * PARITY_SCORE;
    for (int back = 1; back <= WHOLE; back++) {
      sum += ByteCode.DIM * signScore(back);
    }
    return sum;
  }
}
