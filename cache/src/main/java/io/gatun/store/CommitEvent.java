package io.gatun.store;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/** A commit of a conversation. */
@Name("io.gatun.Commit")
@Label("Commit")
@Category("Gatun")
@Description("K/V rows and token ids were forced to disk")
final class CommitEvent extends Event {
  @Label("Conversation")
  String conversation;

  @Label("Committed tokens")
  long tokens;

  @Label("Bytes forced")
  @DataAmount
  long bytes;
}
