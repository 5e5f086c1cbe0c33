/** Multi-head latent attention over a latent cache, in its absorbed form. */
package io.gatun.attention.latent;
