package io.gatun.store;

import io.gatun.cache.GatunException;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * Where the files of one conversation lie.
 *
 * <pre>
 *   conversations/&lt;id&gt;/
 *     journal            token ids, commits
 *     journal.dropped    what the last recovery cut off the journal, if anything
 *     lock               only ever opened by the lock
 *     used               its time of change is when the conversation was last used
 *     pinned             if there, the conversation is never evicted
 * </pre>
 */
record ConversationFiles(String id, Path folder) {
  /** Longest id. */
  private static final int LONGEST = 64;

  private static final Pattern ID = Pattern.compile("[A-Za-z0-9_-]{1," + LONGEST + "}");

  /** Whether a conversation can have this name. */
  static boolean canName(String id) {
    return ID.matcher(id).matches();
  }

  /** Checks the id. */
  static void requireId(String id) {
    if (!canName(id)) {
      throw new GatunException(
          "'%s' cannot name a conversation: 1 to %d of A-Z, a-z, 0-9, '_' and '-' can"
              .formatted(id, LONGEST));
    }
  }

  Path journal() {
    return folder.resolve("journal");
  }

  Path lock() {
    return folder.resolve("lock");
  }

  Path used() {
    return folder.resolve("used");
  }

  Path pinned() {
    return folder.resolve("pinned");
  }
}
