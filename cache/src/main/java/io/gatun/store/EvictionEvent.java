package io.gatun.store;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/** Conversations were evicted. */
@Name("io.gatun.Eviction")
@Label("Eviction")
@Category("Gatun")
final class EvictionEvent extends Event {
  @Label("Conversations")
  int conversations;

  @Label("Bytes freed")
  @DataAmount
  long bytes;
}
