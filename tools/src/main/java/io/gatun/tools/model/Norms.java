package io.gatun.tools.model;

import io.gatun.tools.matrix.Activations;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The element-wise steps of a Llama-family layer. Plain Java on purpose: they touch a thousandth of
 * the bytes that the weights have, and their bits are then the same on every machine. Any thread.
 */
final class Norms {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** log2(e). */
  private static final float LOG2_E = 0x1.715476p0f;

  /** 1.5 * 2^23: adding it leaves the nearest integer in the low bits of the sum. */
  private static final float ROUND = 0x1.8p23f;

  private Norms() {}

  /**
   * RMSNorm (Zhang and Sennrich, 2019, equation 4): {@code x / sqrt(mean(x^2) + eps) * gain}.
   *
   * @param x f32 {@code [dim]} from byte {@code at} on
   * @param gain f32 {@code [dim]}
   * @param out gets the row of {@code token}
   */
  static void rms(
      MemorySegment x, long at, MemorySegment gain, double eps, Activations out, int token) {
    int dim = out.cols();
    float factor = rmsFactor(x, at, dim, eps);
    for (int block = 0; block < dim; block += Activations.BLOCK) {
      long to = out.offset(token, block);
      int end = Math.min(dim, block + Activations.BLOCK);
      for (int i = block; i < end; i++) {
        float value = x.get(FLOAT, at + 4L * i) * factor;
        out.data().set(FLOAT, to + 4L * (i - block), value * gain.get(FLOAT, 4L * i));
      }
    }
  }

  /** RMSNorm of one head, in place: the qk-norm of Qwen3. */
  static void rmsInPlace(MemorySegment x, long at, int dim, MemorySegment gain, double eps) {
    float factor = rmsFactor(x, at, dim, eps);
    for (int i = 0; i < dim; i++) {
      float value = x.get(FLOAT, at + 4L * i) * factor;
      x.set(FLOAT, at + 4L * i, value * gain.get(FLOAT, 4L * i));
    }
  }

  /** {@code 1 / sqrt(mean(x^2) + eps)}; the sum in eight chains, always the same ones. */
  private static float rmsFactor(MemorySegment x, long at, int dim, double eps) {
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    float s4 = 0;
    float s5 = 0;
    float s6 = 0;
    float s7 = 0;
    int i = 0;
    for (; i <= dim - 8; i += 8) {
      long o = at + 4L * i;
      s0 = square(x.get(FLOAT, o), s0);
      s1 = square(x.get(FLOAT, o + 4), s1);
      s2 = square(x.get(FLOAT, o + 8), s2);
      s3 = square(x.get(FLOAT, o + 12), s3);
      s4 = square(x.get(FLOAT, o + 16), s4);
      s5 = square(x.get(FLOAT, o + 20), s5);
      s6 = square(x.get(FLOAT, o + 24), s6);
      s7 = square(x.get(FLOAT, o + 28), s7);
    }
    float rest = 0;
    for (; i < dim; i++) {
      rest = square(x.get(FLOAT, at + 4L * i), rest);
    }
    double sum = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)) + (double) rest;
    return (float) (1 / Math.sqrt(sum / dim + eps));
  }

  private static float square(float x, float sum) {
    return Math.fma(x, x, sum);
  }

  /**
   * The inner activation of SwiGLU (Shazeer, 2020, section 2): {@code silu(gate) * up}.
   *
   * @param gate f32 {@code [dim]} from byte {@code at} on
   * @param up f32 {@code [dim]} from byte {@code at} on
   * @param out gets the row of {@code token}
   * @param block first column of the block of columns to compute
   */
  static void swiGlu(
      MemorySegment gate, MemorySegment up, long at, Activations out, int token, int block) {
    long to = out.offset(token, block);
    int end = Math.min(out.cols(), block + Activations.BLOCK);
    for (int i = block; i < end; i++) {
      float value = silu(gate.get(FLOAT, at + 4L * i)) * up.get(FLOAT, at + 4L * i);
      out.data().set(FLOAT, to + 4L * (i - block), value);
    }
  }

  /** The same with gelu for silu: {@code gelu(gate) * up}; see {@link #swiGlu}. */
  static void geGlu(
      MemorySegment gate, MemorySegment up, long at, Activations out, int token, int block) {
    long to = out.offset(token, block);
    int end = Math.min(out.cols(), block + Activations.BLOCK);
    for (int i = block; i < end; i++) {
      float value = gelu(gate.get(FLOAT, at + 4L * i)) * up.get(FLOAT, at + 4L * i);
      out.data().set(FLOAT, to + 4L * (i - block), value);
    }
  }

  /**
   * gpt-oss's inner activation: {@code (up + 1) * gate * sigmoid(1.702 gate)}, gate at most 7 and
   * up between -7 and 7.
   *
   * @param gateUp f32 {@code [dim][2]} from byte {@code at} on, gate and up in turns
   * @param out gets the row of {@code token}
   * @param block first column of the block of columns to compute
   */
  static void clampedSwiGlu(MemorySegment gateUp, long at, Activations out, int token, int block) {
    long to = out.offset(token, block);
    int end = Math.min(out.cols(), block + Activations.BLOCK);
    for (int i = block; i < end; i++) {
      float gate = Math.min(gateUp.get(FLOAT, at + 8L * i), 7f);
      float up = Math.clamp(gateUp.get(FLOAT, at + 8L * i + 4), -7f, 7f);
      float value = (up + 1) * (gate / (1 + exp(-1.702f * gate)));
      out.data().set(FLOAT, to + 4L * (i - block), value);
    }
  }

  /**
   * The tanh approximation of gelu (Hendrycks and Gimpel, 2016), with {@code 1 + tanh(u) = 2 / (1 +
   * e^-2u)}.
   */
  static float gelu(float x) {
    float u = 0.79788456f * Math.fma(0.044715f * x * x, x, x);
    return x / (1 + exp(-2 * u));
  }

  /** {@code x / (1 + e^-x)}. */
  static float silu(float x) {
    return x / (1 + exp(-x));
  }

  /**
   * e^x to a relative error of 2e-7 and with the same bits in the interpreter and in compiled code:
   * the integer part of {@code x log2(e)} goes into the exponent, a Taylor polynomial of e^r, |r| at
   * most ln(2) / 2, gives the rest. Clamped to e^-87 and e^88.
   */
  static float exp(float x) {
    float clamped = Math.clamp(x, -87f, 88f);
    float shifted = Math.fma(clamped, LOG2_E, ROUND);
    float n = shifted - ROUND;
    // ln(2) in two parts, so that n times the first is exact.
    float r = Math.fma(n, -0x1.62e4p-1f, clamped);
    r = Math.fma(n, -0x1.7f7d1cp-20f, r);
    float p = 1f / 5040;
    p = Math.fma(p, r, 1f / 720);
    p = Math.fma(p, r, 1f / 120);
    p = Math.fma(p, r, 1f / 24);
    p = Math.fma(p, r, 1f / 6);
    p = Math.fma(p, r, 0.5f);
    p = Math.fma(p, r, 1f);
    p = Math.fma(p, r, 1f);
    return Float.intBitsToFloat(
        Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(shifted) << 23));
  }
}
