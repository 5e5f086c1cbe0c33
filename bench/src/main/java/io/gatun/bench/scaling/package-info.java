/** The memory-scaling benchmark: what a decode step costs as the context grows. */
package io.gatun.bench.scaling;
