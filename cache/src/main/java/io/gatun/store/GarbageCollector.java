package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Removes what crashes left behind. Used with the store's lock held. */
final class GarbageCollector {
  private final StoreFolder store;
  private final boolean dryRun;
  private final List<String> removed = new ArrayList<>();
  private final List<String> findings = new ArrayList<>();
  private long bytes;

  GarbageCollector(StoreFolder store, boolean dryRun) {
    this.store = store;
    this.dryRun = dryRun;
  }

  /** Removes unfinished and half-deleted conversations and work files, then blocks that no journal names. */
  Garbage run() throws IOException {
    Path conversations = store.conversations();
    for (String name : Folders.names(conversations)) {
      if (name.startsWith(".new-")
          || name.startsWith(".deleted-")
          || WorkFile.leftBehind(store, name)) {
        Path folder = conversations.resolve(name);
        note(folder, Census.folderBytes(folder));
        if (!dryRun) {
          Folders.delete(folder);
        }
      }
    }
    Census census = Census.take(store);
    if (census.named().isEmpty()) {
      census
          .damaged()
          .forEach((id, damage) ->
              findings.add(
                  "no block was removed, since '%s' might need it: %s".formatted(id, damage)));
    } else {
      collectBlocks(census);
    }
    return new Garbage(removed, bytes, findings, dryRun);
  }

  private void collectBlocks(Census census) throws IOException {
    Map<Integer, String> owners = new HashMap<>();
    census.journals().forEach((id, journal) -> owners.put(journal.header().owner(), id));
    Set<Long> named = census.named().orElseThrow();
    for (int owner : store.blocks().owners()) {
      String id = owners.get(owner);
      boolean writing = id != null && store.openForWriting(store.files(id));
      Set<Long> left = new HashSet<>(store.blocks().blocks(owner));
      left.removeAll(named);
      // A writer's newest blocks stand in no journal yet.
      if (!writing) {
        for (long block : left) {
          note(store.blocks().file(block), store.blocks().size(block));
          if (!dryRun) {
            store.blocks().delete(block);
          }
        }
      }
      if (id == null && !dryRun) {
        store.blocks().deleteOwnerIfEmpty(owner);
      }
    }
  }

  private void note(Path path, long size) {
    if (Files.isSymbolicLink(path) || !Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      throw new GatunException("%s is a link or vanished; a store has no links".formatted(path));
    }
    removed.add(store.path().relativize(path).toString());
    bytes += size;
  }
}
