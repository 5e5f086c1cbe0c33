package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Finds out, and carries out, which conversations go when disk space runs short. */
final class Evictor {
  private final StoreFolder store;

  Evictor(StoreFolder store) {
    this.store = store;
  }

  /**
   * Evicts whole conversations, those first that were not used for longest, until the store takes
   * no more than {@code targetBytes}. Pinned and open ones stay. Called with the store's lock held.
   */
  Eviction run(long targetBytes, boolean dryRun) throws IOException {
    EvictionEvent event = new EvictionEvent();
    event.begin();
    Census census = Census.take(store);
    long before = bytes();
    long now = before;
    List<Eviction.Victim> victims = new ArrayList<>();
    for (ConversationInfo info : byAge(census)) {
      if (now <= targetBytes) {
        break;
      }
      ConversationFiles files = store.files(info.id());
      Optional<LockFile.Hold> writer = LockFile.tryWriter(files.lock());
      if (writer.isEmpty()) {
        continue;
      }
      try (LockFile.Hold _ = writer.get()) {
        if (LockFile.hasReaders(files.lock())) {
          continue;
        }
        long freed = dryRun ? census.remove(info.id()) : Deletion.run(store, files, census);
        now -= freed;
        victims.add(new Eviction.Victim(info.id(), freed, info.lastUsed()));
      }
    }
    if (!dryRun && !victims.isEmpty()) {
      event.conversations = victims.size();
      event.bytes = before - now;
      event.commit();
    }
    return new Eviction(victims, before, now, targetBytes, dryRun);
  }

  /**
   * Sees to it that the store can grow by {@code bytes} within its budget. Store's lock held.
   *
   * @throws GatunException if open and pinned conversations leave no room
   */
  void makeRoom(long bytes, long budget) throws IOException {
    if (bytes() + bytes <= budget) {
      return;
    }
    Eviction eviction = run(Math.max(0, budget - bytes), false);
    if (eviction.bytesAfter() + bytes > budget) {
      throw new GatunException(
          "a block of %,d bytes would pass the store's budget of %,d bytes: %,d are taken by conversations that are open or pinned; raise the budget, or unpin or delete some"
              .formatted(bytes, budget, eviction.bytesAfter()));
    }
  }

  private static List<ConversationInfo> byAge(Census census) throws IOException {
    return census.infos().stream()
        .filter(info -> !info.pinned() && !info.openForWriting())
        .filter(info -> census.journals().containsKey(info.id()))
        .sorted(
            Comparator.comparing(ConversationInfo::lastUsed).thenComparing(ConversationInfo::id))
        .toList();
  }

  /** Bytes of all files of the store. */
  long bytes() throws IOException {
    long bytes = 0;
    for (int owner : store.blocks().owners()) {
      bytes += Census.folderBytes(store.blocks().folder(owner));
    }
    for (String id : store.ids()) {
      Path folder = store.files(id).folder();
      bytes += Census.folderBytes(folder);
    }
    return bytes;
  }
}
