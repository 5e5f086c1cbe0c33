/**
 * The same decode step by others: what a peer is, how one is run in a JVM of its own beside Gatun,
 * and the plain heap loops. The peers that need libraries stand in {@code bench/peers}.
 */
package io.gatun.bench.peer;
