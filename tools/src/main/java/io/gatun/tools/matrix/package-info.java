/**
 * Weights times activations, straight from mapped weights. Every element of a product is one dot
 * product, summed in an order that depends on the vector width alone: see {@link
 * io.gatun.tools.matrix.Lanes}.
 */
package io.gatun.tools.matrix;
