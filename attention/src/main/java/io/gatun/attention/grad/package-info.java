/**
 * Grouped-query attention for training: the forward pass with what the backward pass needs, and the
 * gradients. All of it in f64 and outside the heap, so that a gradient can be checked against
 * central differences to nine digits; decoding does not come here.
 *
 * <p>{@link io.gatun.attention.grad.GqaCore} is the attention itself, from q, k and v to the heads'
 * outputs; {@link io.gatun.attention.grad.GqaLayer} adds the projections Wq, Wk, Wv and Wo, and
 * where a model has them biases, norms of queries and keys, and the rotary embedding. Both show
 * their formulas.
 */
package io.gatun.attention.grad;
