package io.gatun.attention.code;

/**
 * What 2^x is computed with.
 *
 * @param round added to x it leaves the nearest integer in the low bits of the sum
 * @param least below this the result is 0
 * @param coefficients of the polynomial, the highest power first, without the 1 at the end
 */
public record Power2(float round, float least, float... coefficients) {}
