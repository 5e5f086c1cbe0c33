package io.gatun.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
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

  /**
   * Removes unfinished and half-deleted conversations and work files, then blocks that no journal
   * names. All journals are read first.
   */
  Garbage run() throws IOException {
    Path conversations = store.conversations();
    Catalog catalog = Catalog.take(store);
    for (String name : FileLook.names(conversations)) {
      Path folder = conversations.resolve(name);
      if (!FileLook.isFolder(folder)) {
        continue;
      }
      if (name.startsWith(".new-")
          || name.startsWith(".deleted-")
          || WorkFile.leftBehind(store, name)) {
        note(folder, Catalog.folderBytes(folder));
        if (!dryRun) {
          Folders.delete(folder);
        }
      }
    }
    findings.addAll(catalog.foreign());
    catalog
        .damaged()
        .forEach((id, damage) -> findings.add("'%s' is damaged: %s".formatted(id, damage)));
    if (catalog.unreadable().isPresent()) {
      findings.add(catalog.unreadable().get());
    } else {
      collectBlocks(catalog);
    }
    return new Garbage(removed, bytes, findings, dryRun);
  }

  private void collectBlocks(Catalog catalog) throws IOException {
    for (int owner : store.blocks().owners()) {
      Set<String> ids = catalog.conversationsOf(owner);
      // A writer's newest blocks stand in no journal yet.
      if (anyOpenForWriting(ids)) {
        continue;
      }
      Set<Long> left = new HashSet<>(store.blocks().blocks(owner));
      left.removeIf(catalog::needed);
      for (long block : left) {
        note(store.blocks().file(block), store.blocks().size(block));
        if (!dryRun) {
          store.blocks().delete(block);
        }
      }
      if (ids.isEmpty() && !dryRun) {
        store.blocks().deleteOwnerIfEmpty(owner);
      }
    }
  }

  private boolean anyOpenForWriting(Set<String> ids) throws IOException {
    for (String id : ids) {
      if (store.openForWriting(store.files(id))) {
        return true;
      }
    }
    return false;
  }

  private void note(Path path, long size) {
    removed.add(store.path().relativize(path).toString());
    bytes += size;
  }
}
