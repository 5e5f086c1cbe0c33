package io.gatun.store;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/** A block file was made. */
@Name("io.gatun.BlockAllocation")
@Label("Block allocation")
@Category("Gatun")
final class BlockAllocationEvent extends Event {
  @Label("File")
  String file;

  @Label("Bytes")
  @DataAmount
  long bytes;
}
