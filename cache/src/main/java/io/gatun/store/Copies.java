package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.io.RandomAccessFile;

/** Conversations whose folders were copied by hand: fork makes copies that can be used. */
final class Copies {
  private Copies() {}

  /** Whether a conversation's journal is still the file that it was written as. */
  static boolean isOriginal(ConversationFiles files) throws IOException {
    try (RandomAccessFile journal = FileLook.open(files.journal())) {
      byte[] page = JournalFile.page(journal, files.journal());
      return JournalHeader.decode(page, files.journal()).hasStamps()
          && JournalHeader.word(page, JournalHeader.HOME) == FileStamp.identity(files.journal());
    }
  }

  /**
   * Refuses a conversation whose folder was copied by hand: both would write to the same blocks.
   * A journal that is still the file that it was written as is the original. For any other the
   * headers of all journals are read. Store's lock held.
   */
  static void refuse(StoreFolder store, ConversationFiles files) throws IOException {
    if (isOriginal(files)) {
      return;
    }
    int owner = JournalFile.header(files.journal()).owner();
    for (String id : store.ids()) {
      if (!id.equals(files.id())) {
        if (JournalFile.ownerIfReadable(store.files(id).journal()) == owner) {
          throw new GatunException(
              "conversations '%s' and '%s' are copies of each other, made outside of Gatun, and would write to the same blocks: delete one of them ('gatun conversations fork' makes copies that can be used)"
                  .formatted(files.id(), id));
        }
      }
    }
  }
}
