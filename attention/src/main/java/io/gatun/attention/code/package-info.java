/**
 * Machine code for the inner loops of attention and of products with weights, made at run time: an
 * assembler of the few x86-64 instructions that they need, the loops, and the pages that hold them.
 * Nothing here is API.
 */
package io.gatun.attention.code;
