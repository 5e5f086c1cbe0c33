package io.gatun.store;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/** A conversation was opened for writing, and recovered if need be. */
@Name("io.gatun.Open")
@Label("Open")
@Category("Gatun")
@Description("A conversation was opened for writing, and recovered if need be")
final class OpenEvent extends Event {
  @Label("Conversation")
  String conversation;

  @Label("Known tokens")
  long knownTokens;

  @Label("Committed tokens")
  long committedTokens;

  @Label("Closed by its last writer")
  boolean cleanExit;

  @Label("Findings")
  int findings;
}
