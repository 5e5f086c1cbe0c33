/**
 * The converter: from multi-head attention, or more KV heads, to fewer KV heads (uptraining's first
 * step; Ainslie et al. 2023, "GQA: Training Generalized Multi-Query Transformer Models from
 * Multi-Head Checkpoints", section 2.1).
 */
package io.gatun.tools.convert;
