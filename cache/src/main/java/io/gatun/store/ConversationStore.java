package io.gatun.store;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;

/**
 * A folder of conversations.
 *
 * <pre>
 *   store/
 *     store.lock              only ever opened by the lock; held while conversations come and go
 *     blocks/&lt;owner&gt;/&lt;n&gt;.kv   K/V rows, see {@link BlockFolder}
 *     conversations/&lt;id&gt;/     journal, lock and marks of one conversation
 * </pre>
 *
 * <p>A store on a read-only file system, or one that this user may only read, can be opened. What
 * only reads works there: {@link #list}, {@link #info}, {@link #stats}, {@link #verify}, {@link
 * #read}. Everything else throws {@link GatunException}, dry runs included.
 *
 * <p>Any number of processes may have the same store open; a conversation has one writer. All files
 * are for their owner only; links are not followed.
 *
 * <p>Thread rules: any thread.
 */
public final class ConversationStore implements AutoCloseable {
  private final StoreFolder place;
  private final StoreOptions options;
  private final Counters counters = new Counters();

  /** Guarded by the store's lock. */
  private final PrefixIndex prefixes;

  private final Set<Conversation> open = ConcurrentHashMap.newKeySet();

  private ConversationStore(StoreFolder place, StoreOptions options) {
    this.place = place;
    this.options = options;
    this.prefixes = new PrefixIndex(place);
  }

  /** Opens a store with the default options, and makes it if there is none. */
  public static ConversationStore open(Path folder) {
    return open(folder, StoreOptions.defaults());
  }

  /**
   * Opens a store, and makes it if there is none.
   *
   * @throws GatunException if the folder cannot be made, is not a store, or can be written to by
   *     other users
   */
  public static ConversationStore open(Path folder, StoreOptions options) {
    try {
      StoreFolder place = StoreFolder.open(folder);
      WorkFile.collect(place);
      return new ConversationStore(place, options);
    } catch (IOException e) {
      throw IoFailure.of("cannot open the store", folder, e);
    }
  }

  /** Where it lies. */
  public Path folder() {
    return place.path();
  }

  /** Its options. */
  public StoreOptions options() {
    return options;
  }

  /** Whether there is a conversation of this name. */
  public boolean exists(String id) {
    ConversationFiles files = place.files(id);
    return attempt("look for '%s'".formatted(id), files, () -> place.exists(files));
  }

  /** Runs an operation on the files of one conversation; {@code what} completes "cannot ...". */
  private static <T> T attempt(
      String what, ConversationFiles files, StoreFolder.Operation<T> operation) {
    try {
      return operation.run();
    } catch (IOException e) {
      throw IoFailure.of("cannot " + what, files.folder(), e);
    }
  }

  /**
   * Opens a conversation for writing, and makes it if there is none.
   *
   * @param model digest over weights and configuration
   * @param layout shape and element types; its block size counts for a new conversation only
   * @throws GatunException if another writer has it, or if it was made with another model, shape or
   *     element type
   */
  public Conversation openOrCreate(String id, Fingerprint model, KvLayout layout) {
    return openOrCreate(id, model, layout, new int[0]);
  }

  /**
   * Opens a conversation for writing, and makes it if there is none: then with as many of the first
   * tokens of {@code prompt} as some stored conversation of this model has K/V for, at least 64.
   * Conversations with {@linkplain ConversationInfo#imported imported} rows are not asked.
   * {@link OpenReport#reusedTokens} says how many; the rest of the prompt is the caller's to accept.
   *
   * @see #openOrCreate(String, Fingerprint, KvLayout)
   */
  public Conversation openOrCreate(String id, Fingerprint model, KvLayout layout, int[] prompt) {
    ConversationFiles files = place.files(id);
    try {
      int reused = 0;
      LockFile.Hold writer;
      try (LockFile.Hold _ = place.lock()) {
        if (!place.exists(files)) {
          reused = create(files, model.with(layout), layout, prompt);
        }
        writer = place.onlyWriter(files);
      }
      counters.tokensReused.add(reused);
      return new ConversationOpener(this, files, options, reused)
          .open(writer, model.with(layout), layout);
    } catch (IOException e) {
      throw IoFailure.of("cannot open conversation '%s'".formatted(id), files.folder(), e);
    }
  }

  /** Makes a conversation; returns how many tokens of the prompt it begins with. */
  private int create(
      ConversationFiles files, Fingerprint fingerprint, KvLayout layout, int[] prompt)
      throws IOException {
    Optional<PrefixIndex.Match> match =
        prompt.length < PrefixIndex.STEP
            ? Optional.empty()
            : prefixes.find(prompt, fingerprint, layout.blockTokens());
    if (match.isEmpty()) {
      new NewConversation(place).create(files, layout, fingerprint);
      return 0;
    }
    new NewConversation(place).fork(match.get().journal(), files, match.get().tokens());
    return match.get().tokens();
  }

  /**
   * Makes a conversation for rows from a source that is not trusted, see {@link #restore(String,
   * Fingerprint, KvLayout, boolean)}.
   */
  public Conversation restore(String id, Fingerprint stored, KvLayout layout) {
    return restore(id, stored, layout, false);
  }

  /**
   * Makes a conversation whose fingerprint is known, for an import: {@code stored} is what {@link
   * Conversation#fingerprint} said where the rows come from.
   *
   * <p>No check can tell whether rows are those that the model gives for these tokens. So a
   * conversation from a source that is not trusted is marked as {@linkplain
   * ConversationInfo#imported imported}, for good: its rows are never handed to a new conversation
   * that begins with the same tokens, and its forks are marked as well.
   *
   * @param trusted whether the rows are believed as if this store had made them
   * @throws GatunException if the name is taken
   */
  public Conversation restore(String id, Fingerprint stored, KvLayout layout, boolean trusted) {
    ConversationFiles files = place.files(id);
    try {
      LockFile.Hold writer;
      try (LockFile.Hold _ = place.lock()) {
        place.requireFree(files);
        if (trusted) {
          new NewConversation(place).create(files, layout, stored);
        } else {
          new NewConversation(place).createImported(files, layout, stored);
        }
        writer = place.onlyWriter(files);
      }
      return new ConversationOpener(this, files, options, 0).open(writer, stored, layout);
    } catch (IOException e) {
      throw IoFailure.of("cannot make conversation '%s'".formatted(id), files.folder(), e);
    }
  }

  /**
   * Cuts a conversation at a position, see {@link Conversation#truncate}.
   *
   * @throws GatunException if it has fewer tokens, is open for writing, or does not exist
   */
  public void truncate(String id, long tokens) {
    truncate(id, tokens, false);
  }

  /**
   * Cuts a conversation at a position, see {@link Conversation#truncate}.
   *
   * @param erase overwrites the ids and the rows that are cut off, and those of earlier cuts, in the
   *     files of the store. Rows that another conversation holds stay. What lies below may keep them
   *     all the same: a journaling or copy-on-write file system, a snapshot, an SSD
   * @return what could not be erased, a sentence each; empty if nothing is left
   * @throws GatunException if it has fewer tokens, is open for writing, or does not exist
   */
  public List<String> truncate(String id, long tokens, boolean erase) {
    ConversationFiles files = place.files(id);
    try {
      place.requireExisting(files);
      JournalHeader header = JournalFile.header(files.journal());
      LockFile.Hold writer;
      try (LockFile.Hold _ = place.lock()) {
        writer = place.onlyWriter(files);
      }
      Conversation cut =
          new ConversationOpener(this, files, options, 0)
              .open(writer, header.fingerprint(), header.layout());
      try (Conversation conversation = cut) {
        int known = conversation.tokens().count();
        if (tokens < 0 || tokens > known) {
          throw new GatunException(
              "cannot truncate '%s' to %,d tokens: it has %,d".formatted(id, tokens, known));
        }
        conversation.truncate(tokens);
        if (erase) {
          conversation.eraseOnClose();
        }
      }
      return cut.notErased();
    } catch (IOException e) {
      throw IoFailure.of("cannot truncate '%s'".formatted(id), files.folder(), e);
    }
  }

  /** The names of all conversations, sorted. */
  public List<String> ids() {
    try {
      return place.ids();
    } catch (IOException e) {
      throw IoFailure.of("cannot list the conversations", place.conversations(), e);
    }
  }

  /** What there is to say about every conversation, without opening any. */
  public List<ConversationInfo> list() {
    return place.lockedToRead("list the conversations", () -> Catalog.take(place).infos());
  }

  /**
   * What there is to say about one conversation, without opening it.
   *
   * @throws GatunException if there is none of this name
   */
  public ConversationInfo info(String id) {
    ConversationFiles files = place.files(id);
    attempt(
        "look for '%s'".formatted(id),
        files,
        () -> {
          place.requireExisting(files);
          return null;
        });
    return place
        .lockedToRead("look at '%s'".formatted(id), () -> Catalog.info(place, id))
        .orElseThrow(() -> place.missing(id));
  }

  /**
   * Opens a conversation for reading; a writer may go on with it meanwhile, here or in another
   * process.
   */
  public ConversationReader read(String id) {
    ConversationFiles files = place.files(id);
    return attempt(
        "read conversation '%s'".formatted(id),
        files,
        () -> {
          place.requireExisting(files);
          return ConversationReader.open(place, files);
        });
  }

  /**
   * Makes a conversation from the first {@code at} tokens of another one. No K/V byte is copied; both
   * go on independently. The source may be open; what it has not committed is not taken. The mark of
   * {@linkplain ConversationInfo#imported imported} rows is inherited.
   *
   * @throws GatunException if the source has fewer tokens, or the new name is taken
   */
  public void fork(String id, String newId, long at) {
    ConversationFiles source = place.files(id);
    ConversationFiles target = place.files(newId);
    place.locked(
        "fork '%s'".formatted(id),
        () -> {
          place.requireExisting(source);
          place.requireFree(target);
          JournalFile journal = JournalFile.read(source.journal());
          long known = journal.state().tokens().count();
          if (at < 0 || at > known) {
            throw new GatunException(
                "cannot fork '%s' at %,d tokens: it has %,d".formatted(id, at, known));
          }
          new NewConversation(place).fork(journal, target, at);
          return null;
        });
  }

  /** Makes a conversation with all tokens of another one, see {@link #fork(String, String, long)}. */
  public void fork(String id, String newId) {
    ConversationFiles source = place.files(id);
    long known =
        attempt(
            "fork '%s'".formatted(id),
            source,
            () -> {
              place.requireExisting(source);
              return JournalFile.readCounting(source.journal()).state().tokens().count();
            });
    fork(id, newId, known);
  }

  /**
   * Gives a conversation another name.
   *
   * @throws GatunException if it is open for writing, or the name is taken
   */
  public void rename(String id, String newId) {
    ConversationFiles source = place.files(id);
    ConversationFiles target = place.files(newId);
    place.locked(
        "rename '%s'".formatted(id),
        () -> {
          place.requireExisting(source);
          place.requireFree(target);
          try (LockFile.Hold _ = place.writer(source)) {
            Files.move(source.folder(), target.folder(), StandardCopyOption.ATOMIC_MOVE);
            Folders.force(place.conversations());
          }
          return null;
        });
  }

  /**
   * Deletes a conversation. Blocks that others share stay.
   *
   * @return disk space that this freed
   * @throws GatunException if it is open for writing, or does not exist
   */
  public long delete(String id) {
    return delete(id, false);
  }

  /**
   * Deletes a conversation. Blocks that others share stay.
   *
   * @param erase overwrites its files before they are removed, see {@link #truncate(String, long,
   *     boolean)}
   * @return disk space that this freed
   * @throws GatunException if it is open for writing, or does not exist
   */
  public long delete(String id, boolean erase) {
    ConversationFiles files = place.files(id);
    return place.locked(
        "delete '%s'".formatted(id),
        () -> {
          place.requireExisting(files);
          try (LockFile.Hold _ = place.writer(files)) {
            return Deletion.run(place, files, Catalog.take(place), erase);
          }
        });
  }

  /** Keeps a conversation from being evicted, or lets it be again. */
  public void pin(String id, boolean pinned) {
    ConversationFiles files = place.files(id);
    place.locked(
        "pin '%s'".formatted(id),
        () -> {
          place.requireExisting(files);
          if (pinned) {
            Folders.createFile(files.pinned());
          } else {
            Files.deleteIfExists(files.pinned());
          }
          Folders.force(files.folder());
          return null;
        });
  }

  /**
   * Deletes whole conversations, those first that were not used for longest, until the store takes no
   * more than {@code targetBytes} of disk. Never a pinned or an open one.
   *
   * @param dryRun only says what would go
   * @throws EvictionShortfallException if that cannot be reached; nothing was removed
   */
  public Eviction evict(long targetBytes, boolean dryRun) {
    return place.locked("evict conversations", () -> new Evictor(place).run(targetBytes, dryRun));
  }

  /**
   * Removes what crashes left behind: unfinished conversations and blocks that no journal names.
   *
   * @param dryRun only says what would go
   */
  public Garbage gc(boolean dryRun) {
    return place.locked("collect garbage", () -> new GarbageCollector(place, dryRun).run());
  }

  /**
   * A file of this store for work under way, empty. It is gone when closed, or, if the process dies
   * first, with the next opening of the store.
   */
  public WorkFile workFile() {
    return WorkFile.create(place);
  }

  /**
   * Compares everything that a conversation has on disk with its checksums.
   *
   * @param progress is told how many bytes of rows were read since it was last told
   */
  public Verification verify(String id, LongConsumer progress) {
    ConversationFiles files = place.files(id);
    return attempt(
        "verify '%s'".formatted(id),
        files,
        () -> {
          place.requireExisting(files);
          return new Verifier(place).run(files, progress);
        });
  }

  /**
   * Makes a backup of this store, which may be in use by any process, or brings an earlier one up to
   * date. The backup is itself a store: each conversation in it is as it was committed, no earlier
   * than when its copy was begun, and every row in it was compared with its checksum. It can be cut
   * off at any point and run again: what is there and right is kept.
   *
   * <p>A conversation that is damaged is left out and named in the report; the others are backed up.
   * One that is gone from the store is removed from the backup, if all could be read. One that was
   * gone on with in the backup is left alone and named.
   *
   * @param folder a new or an empty folder, or one with an earlier backup of this store; not inside
   *     the store
   * @param links whether blocks that never change again may be second names (hard links) of the
   *     store's files, where both are on one file system: no space is taken, but what a failing disk
   *     does to a file is then done to both
   * @throws GatunException if the folder cannot be used or its disk is full
   */
  public BackupReport backup(Path folder, boolean links, BackupProgress progress) {
    try {
      return new Backup(place, folder, links, progress).run();
    } catch (IOException e) {
      throw IoFailure.of("cannot back up %s".formatted(place.path()), folder, e);
    }
  }

  /** Figures, as of now. */
  public StoreStats stats() {
    try {
      long mapped = 0;
      long resident = 0;
      for (Conversation conversation : open) {
        mapped += conversation.mappedBytes();
        long bytes = conversation.residentBytes();
        resident = bytes < 0 || resident < 0 ? -1 : resident + bytes;
      }
      return new StoreStats(
          ids().size(),
          open.size(),
          new Evictor(place).bytes(),
          mapped,
          resident,
          counters.bytesWritten.sum(),
          counters.commits.sum(),
          counters.tokensAccepted.sum(),
          counters.tokensReused.sum());
    } catch (IOException e) {
      throw IoFailure.of("cannot measure the store", place.path(), e);
    }
  }

  /** Lets go of the store. Conversations that are still open stay so. */
  @Override
  public void close() {}

  /** Its files and locks. */
  StoreFolder place() {
    return place;
  }

  Counters counters() {
    return counters;
  }

  void opened(Conversation conversation) {
    open.add(conversation);
  }

  void closed(Conversation conversation) {
    open.remove(conversation);
  }

  /** Asked before a conversation makes a block file: sees to the disk budget. */
  void beforeAllocating(long bytes) {
    if (options.budgetBytes() > 0) {
      place.locked(
          "keep to the disk budget",
          () -> {
            new Evictor(place).makeRoom(bytes, options.budgetBytes());
            return null;
          });
    }
  }
}
