package io.gatun.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collection;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/** Removes conversations and blocks. Used with the store's lock held. */
final class Deletion {
  private Deletion() {}

  /**
   * Deletes a conversation. It is gone once its folder is renamed; what a crash leaves after that is
   * garbage. Store's and writer's lock held.
   *
   * @return disk space that this freed
   */
  static long run(StoreFolder store, ConversationFiles files, Census census) throws IOException {
    BlockFolder blocks = store.blocks();
    JournalFile journal = census.journals().get(files.id());
    Path deleted = store.conversations().resolve(".deleted-" + UUID.randomUUID());
    Files.move(files.folder(), deleted, StandardCopyOption.ATOMIC_MOVE);
    Folders.force(store.conversations());
    long freed;
    if (journal == null) {
      // Which blocks were its own is not known: gc finds them, once all other journals can be read.
      freed = Census.folderBytes(deleted);
    } else {
      freed = Census.folderBytes(deleted);
      boolean known = census.named().isPresent();
      Set<Long> blocksOfIt = Census.blocksOf(journal);
      census.remove(files.id());
      // Also those that the journal no longer names, but that a crash kept from being removed.
      blocksOfIt.addAll(blocks.blocks(journal.header().owner()));
      for (long block : known ? blocksOfIt : Set.<Long>of()) {
        if (census.users(block) == 0) {
          freed += blocks.size(block);
          blocks.delete(block);
          int owner = BlockFolder.owner(block);
          if (!census.lives(owner)) {
            blocks.deleteOwnerIfEmpty(owner);
          }
        }
      }
      blocks.deleteOwnerIfEmpty(journal.header().owner());
    }
    Folders.delete(deleted);
    return freed;
  }

  /** Removes those of the blocks that no journal names; none if a journal cannot be read. */
  static void unnamed(StoreFolder store, Collection<Long> candidates) throws IOException {
    Optional<Set<Long>> named = Census.take(store).named();
    if (named.isPresent()) {
      for (long block : candidates) {
        if (!named.get().contains(block)) {
          store.blocks().delete(block);
        }
      }
    }
  }
}
