/** The JMH benchmarks; {@code gatun bench jmh} runs them. */
package io.gatun.bench.jmh;
