/**
 * Attention over the KV cache, read where it lies: decode and causal prefill with grouped queries,
 * rotary position embedding, and the textbook layer that the rest is checked against.
 *
 * <p>Uses {@code io.gatun.cache} only.
 */
package io.gatun.attention;
