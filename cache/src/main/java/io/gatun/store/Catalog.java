package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * All conversations of a store and the blocks that they need, read from the journals: no count is
 * kept anywhere that a crash could falsify. A picture of one moment; while the store's lock is held
 * it stays true, apart from conversations that grow.
 *
 * <p>A conversation that cannot be read costs itself alone, with one exception: as long as it is not
 * known which blocks it needs, no block of the store may be removed ({@link #unreadable}).
 */
final class Catalog {
  private final StoreFolder store;
  private final Map<String, JournalSummary> journals = new LinkedHashMap<>();
  private final Map<String, String> damaged = new LinkedHashMap<>();

  /** Those of the damaged whose blocks are not known. */
  private final List<String> unreadable = new ArrayList<>();

  /** What stands in {@code conversations/} and is none. */
  private final List<String> foreign = new ArrayList<>();

  /** The names in the folders of the readable ones. */
  private final Map<String, List<String>> names = new HashMap<>();

  /** How many conversations hold rows in a block. */
  private final Map<Long, Integer> users = new HashMap<>();

  /** Blocks that damaged conversations may need. */
  private final Set<Long> kept = new HashSet<>();

  /** Owners whose blocks a damaged or torn journal may name without our knowing. */
  private final Set<Integer> keptOwners = new HashSet<>();

  /** The conversations that make blocks under a number: several, where a folder was copied. */
  private final Map<Integer, Set<String>> owners = new HashMap<>();

  private Catalog(StoreFolder store) {
    this.store = store;
  }

  /**
   * Reads every journal.
   *
   * @throws IOException if the folder of conversations cannot be listed
   */
  static Catalog take(StoreFolder store) throws IOException {
    Catalog catalog = new Catalog(store);
    for (String id : store.ids()) {
      catalog.read(id);
    }
    return catalog;
  }

  /**
   * What there is to say about one conversation. Other journals are read only if they may share
   * blocks with it.
   */
  static Optional<ConversationInfo> info(StoreFolder store, String id) throws IOException {
    Catalog catalog = new Catalog(store);
    catalog.read(id);
    JournalSummary journal = catalog.journals.get(id);
    if (journal != null && !journal.alone()) {
      catalog = take(store);
    }
    return catalog.infos().stream().filter(info -> info.id().equals(id)).findFirst();
  }

  private void read(String id) {
    ConversationFiles files = store.files(id);
    try {
      List<String> inside = inside(files);
      if (!inside.contains("journal")) {
        return;
      }
      names.put(id, inside);
      add(id, JournalSummary.of(JournalFile.readCounting(files.journal())));
    } catch (DamageException e) {
      damaged.put(id, e.getMessage());
      salvage(id, files);
    } catch (IOException | GatunException e) {
      notRead(id, IoFailure.reason(e));
    } catch (OutOfMemoryError e) {
      notRead(
          id, "this heap of %,d bytes is too small".formatted(Runtime.getRuntime().maxMemory()));
    }
  }

  /** The names in a conversation's folder; none, and a note, if it is none. */
  private List<String> inside(ConversationFiles files) throws IOException {
    try {
      List<String> inside = FileLook.names(files.folder());
      if (!inside.contains("journal") && FileLook.exists(files.folder())) {
        foreign.add("%s has no journal, so is no conversation".formatted(files.folder()));
      }
      return inside;
    } catch (DamageException e) {
      // Deleted since the listing, or no folder.
      if (FileLook.exists(files.folder())) {
        foreign.add("%s is not a folder, so not a conversation".formatted(files.folder()));
      }
      return List.of();
    }
  }

  private void add(String id, JournalSummary journal) {
    journals.put(id, journal);
    owners.computeIfAbsent(journal.header().owner(), owner -> new HashSet<>()).add(id);
    journal.blocks().forEach(block -> users.merge(block, 1, Integer::sum));
    if (journal.torn()) {
      // What stands behind the damage can only name its own blocks, or fewer of those of others.
      keptOwners.add(journal.header().owner());
      kept.addAll(journal.keeps());
    }
  }

  private void notRead(String id, String why) {
    damaged.put(id, "its journal cannot be read now: " + why);
    unreadable.add(id);
  }

  /** A journal with a damaged header still names its blocks, if its records check. */
  private void salvage(String id, ConversationFiles files) {
    try {
      Optional<Set<Long>> blocks = JournalFile.blocksDespiteHeader(files.journal());
      if (blocks.isPresent()) {
        kept.addAll(blocks.get());
        blocks.get().forEach(block -> keptOwners.add(BlockFolder.owner(block)));
        return;
      }
    } catch (IOException | GatunException e) {
      // Then nothing is known of it, as below.
      damaged.merge(id, IoFailure.reason(e), (a, b) -> a + "; " + b);
    }
    unreadable.add(id);
  }

  /** The readable journals by id. */
  Map<String, JournalSummary> journals() {
    return journals;
  }

  /** What is wrong with each unreadable journal, by id. */
  Map<String, String> damaged() {
    return damaged;
  }

  /** What stands among the conversations and is none, a sentence each. */
  List<String> foreign() {
    return foreign;
  }

  /**
   * Why no block may be removed, a sentence; empty if the blocks that each conversation needs are
   * known.
   */
  Optional<String> unreadable() {
    if (unreadable.isEmpty()) {
      return Optional.empty();
    }
    String id = unreadable.getFirst();
    return Optional.of(
        "no block was removed, since '%s' might need it: %s%s"
            .formatted(
                id,
                damaged.get(id),
                unreadable.size() == 1
                    ? ""
                    : "; and %d others like it".formatted(unreadable.size() - 1)));
  }

  /** Whether some conversation may need a block: holds rows in it, or cannot say. */
  boolean needed(long block) {
    return !unreadable.isEmpty()
        || users(block) > 0
        || kept.contains(block)
        || keptOwners.contains(BlockFolder.owner(block));
  }

  /** The conversations that make blocks under this number, as far as their journals can be read. */
  Set<String> conversationsOf(int owner) {
    return owners.getOrDefault(owner, Set.of());
  }

  /** How many conversations hold rows in a block. */
  int users(long block) {
    return users.getOrDefault(block, 0);
  }

  /**
   * Counts a conversation out, as if it were deleted.
   *
   * @return the blocks that nobody needs any more then, with the unnamed ones of its folder
   */
  Set<Long> remove(String id) throws IOException {
    JournalSummary journal = journals.remove(id);
    int owner = journal.header().owner();
    owners.get(owner).remove(id);
    journal.blocks().forEach(block -> users.merge(block, -1, Integer::sum));
    if (journal.torn()) {
      keptOwners.remove(owner);
    }
    Set<Long> free = new HashSet<>(journal.blocks());
    if (owners.get(owner).isEmpty()) {
      // Also those that the journal no longer names, but that a crash kept from being removed.
      // Where
      // another has the same number, they may be new blocks of its writer.
      free.addAll(store.blocks().blocks(owner));
    }
    free.removeIf(this::needed);
    return free;
  }

  /** Takes back {@link #remove}: the conversation stays. */
  void restore(String id, JournalSummary journal) {
    add(id, journal);
  }

  /**
   * Bytes of the files in a folder, not deeper, but for locks, which looking may write to; 0 if there
   * is none.
   */
  static long folderBytes(Path folder) throws IOException {
    if (!FileLook.isFolder(folder)) {
      return FileLook.size(folder);
    }
    return bytes(folder, FileLook.namesIfThere(folder));
  }

  private static long bytes(Path folder, List<String> inside) throws IOException {
    long bytes = 0;
    for (String name : inside) {
      bytes += name.equals("lock") ? 0 : FileLook.size(folder.resolve(name));
    }
    return bytes;
  }

  /** What there is to say about each conversation, sorted by id. */
  List<ConversationInfo> infos() throws IOException {
    List<ConversationInfo> infos = new ArrayList<>();
    for (Map.Entry<String, JournalSummary> entry : journals.entrySet()) {
      infos.add(info(entry.getKey(), entry.getValue()));
    }
    for (Map.Entry<String, String> entry : damaged.entrySet()) {
      infos.add(damagedInfo(entry.getKey(), entry.getValue()));
    }
    infos.sort((a, b) -> a.id().compareTo(b.id()));
    return infos;
  }

  private ConversationInfo damagedInfo(String id, String damage) {
    ConversationFiles files = store.files(id);
    long bytes = 0;
    boolean pinned = false;
    Instant lastUsed = Instant.EPOCH;
    try {
      bytes = folderBytes(files.folder());
      pinned = FileLook.exists(files.pinned());
      lastUsed = lastUsed(files);
    } catch (IOException e) {
      // What is wrong with it is said already; the rest of the list has to come.
      damage += "; its folder cannot be read: " + IoFailure.reason(e);
    }
    return new ConversationInfo(
        id, 0, 0, 0, bytes, bytes, null, null, pinned, false, false, false, null, lastUsed, damage);
  }

  private ConversationInfo info(String id, JournalSummary journal) throws IOException {
    ConversationFiles files = store.files(id);
    List<String> inside = names.get(id);
    long own = bytes(files.folder(), inside);
    long all = own;
    for (long block : journal.blocks()) {
      long bytes = store.blocks().size(block);
      all += bytes;
      own += users(block) == 1 && !kept.contains(block) ? bytes : 0;
    }
    // A writer begins with a record that it has opened it.
    boolean writing = !journal.closed() && store.openForWriting(files);
    return new ConversationInfo(
        id,
        journal.tokens(),
        journal.committed(),
        journal.blocks().size(),
        all,
        own,
        journal.header().layout(),
        journal.header().fingerprint(),
        inside.contains(files.pinned().getFileName().toString()),
        journal.header().imported(),
        writing,
        journal.closed(),
        Instant.ofEpochMilli(journal.header().created()),
        lastUsed(files),
        !writing && journal.torn() ? journal.tail() : null);
  }

  static Instant lastUsed(ConversationFiles files) throws IOException {
    Optional<BasicFileAttributes> used = FileLook.at(files.used());
    if (used.isEmpty()) {
      used = FileLook.at(files.folder());
    }
    return used.map(found -> found.lastModifiedTime().toInstant()).orElse(Instant.EPOCH);
  }
}
