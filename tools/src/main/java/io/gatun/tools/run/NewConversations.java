package io.gatun.tools.run;

import io.gatun.store.ConversationInfo;
import io.gatun.store.ConversationStore;

/** What a run that failed leaves of a conversation that it has just made. */
final class NewConversations {
  private NewConversations() {}

  /**
   * Removes a conversation that holds no K/V: it would stay bound to this model, and hold nothing
   * that the same command does not give again.
   *
   * @param failure what ended the run; a failure to remove is added to it
   */
  static void removeIfEmpty(ConversationStore store, String id, Throwable failure) {
    try {
      if (!store.exists(id)) {
        return;
      }
      ConversationInfo info = store.info(id);
      if (info.committedTokens() == 0) {
        store.delete(id);
      }
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }
}
