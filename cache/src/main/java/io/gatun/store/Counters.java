package io.gatun.store;

import java.util.concurrent.atomic.LongAdder;

/** Running totals of a store object. Any thread. */
final class Counters {
  final LongAdder bytesWritten = new LongAdder();
  final LongAdder commits = new LongAdder();
  final LongAdder tokensAccepted = new LongAdder();
  final LongAdder tokensReused = new LongAdder();
}
