package io.gatun.attention.grad;

import java.lang.foreign.MemorySegment;

/**
 * The weights of an attention layer, f64, as Hugging Face lays them out: {@code [out][in]}.
 *
 * @param wq {@code [numHeads * keyDim][hidden]}
 * @param wk {@code [numKvHeads * keyDim][hidden]}
 * @param wv {@code [numKvHeads * valueDim][hidden]}
 * @param wo {@code [hidden][numHeads * valueDim]}
 * @param bq {@code [numHeads * keyDim]}, or null for none
 * @param bk {@code [numKvHeads * keyDim]}, or null
 * @param bv {@code [numKvHeads * valueDim]}, or null
 * @param bo {@code [hidden]}, or null
 * @param qNorm weights of the norm of each query head, {@code [keyDim]}, or null for no norm
 * @param kNorm the same for the key heads
 */
public record GqaWeights(
    MemorySegment wq,
    MemorySegment wk,
    MemorySegment wv,
    MemorySegment wo,
    MemorySegment bq,
    MemorySegment bk,
    MemorySegment bv,
    MemorySegment bo,
    MemorySegment qNorm,
    MemorySegment kNorm) {
  /** Four projections and no more. */
  public static GqaWeights of(
      MemorySegment wq, MemorySegment wk, MemorySegment wv, MemorySegment wo) {
    return new GqaWeights(wq, wk, wv, wo, null, null, null, null, null, null);
  }
}
