package io.gatun.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;

/** Removes conversations and blocks. Used with the store's lock held. */
final class Deletion {
  private Deletion() {}

  /**
   * Deletes a conversation. It is gone once its folder is renamed; what a crash leaves after that is
   * garbage. Store's and writer's lock held.
   *
   * @param catalog in which the conversation is counted in; it is counted out by this
   * @param erase overwrites what is removed first
   * @return disk space that this freed
   * @throws IOException if its journal cannot be read now; nothing was removed
   */
  static long run(StoreFolder store, ConversationFiles files, Catalog catalog, boolean erase)
      throws IOException {
    JournalSummary journal = catalog.journals().get(files.id());
    if (journal == null && FileLook.exists(files.journal())) {
      // A failed look is thrown here; damage is a reason to delete it.
      try {
        JournalFile.readCounting(files.journal());
      } catch (DamageException | NewerFormatException _) {
        // Which blocks were its own is not known: gc finds them once it is gone.
      }
    }
    Set<Long> free = journal == null ? Set.of() : catalog.remove(files.id());
    return remove(store, files, free, catalog, erase);
  }

  /**
   * Removes a conversation's folder, and the blocks that nobody needs without it.
   *
   * @param catalog in which it is counted out already
   */
  static long remove(
      StoreFolder store, ConversationFiles files, Set<Long> free, Catalog catalog, boolean erase)
      throws IOException {
    BlockFolder blocks = store.blocks();
    Path deleted = store.conversations().resolve(".deleted-" + UUID.randomUUID());
    Files.move(files.folder(), deleted, StandardCopyOption.ATOMIC_MOVE);
    Folders.force(store.conversations());
    long freed = Catalog.folderBytes(deleted);
    Set<Integer> owners = new HashSet<>();
    for (long block : free) {
      freed += blocks.size(block);
      delete(blocks, block, erase);
      owners.add(BlockFolder.owner(block));
    }
    for (int owner : owners) {
      // A writer whose first block is still to come needs its folder.
      if (catalog.conversationsOf(owner).isEmpty()) {
        blocks.deleteOwnerIfEmpty(owner);
      }
    }
    if (erase) {
      Erasure.overwriteAll(deleted);
    }
    Folders.delete(deleted);
    return freed;
  }

  /** Removes a block's file, overwritten first if that is wanted. */
  static void delete(BlockFolder blocks, long block, boolean erase) throws IOException {
    if (erase) {
      Erasure.overwrite(blocks.file(block));
    }
    blocks.delete(block);
  }

  /**
   * Removes those of the writer's own blocks that no journal names; none if some journal cannot be
   * read.
   */
  static void unnamed(StoreFolder store, Collection<Long> candidates, boolean erase)
      throws IOException {
    Catalog catalog = Catalog.take(store);
    if (catalog.unreadable().isPresent()) {
      System.getLogger("io.gatun.store").log(System.Logger.Level.DEBUG, catalog.unreadable().get());
      return;
    }
    for (long block : candidates) {
      if (!catalog.needed(block)) {
        delete(store.blocks(), block, erase);
      }
    }
  }
}
