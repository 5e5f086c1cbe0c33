/** Choosing the next token from logits. */
package io.gatun.tools.sampling;
