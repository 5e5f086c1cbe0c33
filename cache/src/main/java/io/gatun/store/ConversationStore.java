package io.gatun.store;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Collection;
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
 * <p>Any number of processes may have the same store open; a conversation has one writer. All files
 * are for their owner only; links are not followed.
 *
 * <p>Thread rules: any thread.
 */
public final class ConversationStore implements AutoCloseable {
  private final Path folder;
  private final Path conversations;
  private final BlockFolder blocks;
  private final StoreOptions options;
  private final Counters counters = new Counters();

  /** Guarded by the store's lock. */
  private final PrefixIndex prefixes = new PrefixIndex(this);

  private final Set<Conversation> open = ConcurrentHashMap.newKeySet();

  private ConversationStore(Path folder, StoreOptions options) {
    this.folder = folder;
    this.conversations = folder.resolve("conversations");
    this.blocks = new BlockFolder(folder.resolve("blocks"));
    this.options = options;
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
      if (!Files.exists(folder)) {
        Path parent = folder.toAbsolutePath().normalize().getParent();
        Files.createDirectories(parent);
        Folders.create(folder);
      }
      Path real = folder.toRealPath();
      Folders.requireFolder(real);
      Folders.requirePrivate(real);
      ConversationStore store = new ConversationStore(real, options);
      Folders.create(store.conversations);
      Folders.create(real.resolve("blocks"));
      Folders.requirePrivate(store.conversations);
      Folders.requirePrivate(real.resolve("blocks"));
      return store;
    } catch (IOException e) {
      throw failure("cannot open the store", folder, e);
    }
  }

  /** Where it lies. */
  public Path folder() {
    return folder;
  }

  /** Its options. */
  public StoreOptions options() {
    return options;
  }

  /** Whether there is a conversation of this name. */
  public boolean exists(String id) {
    return Files.exists(files(id).folder(), LinkOption.NOFOLLOW_LINKS);
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
   * {@link OpenReport#reusedTokens} says how many; the rest of the prompt is the caller's to accept.
   *
   * @see #openOrCreate(String, Fingerprint, KvLayout)
   */
  public Conversation openOrCreate(String id, Fingerprint model, KvLayout layout, int[] prompt) {
    ConversationFiles files = files(id);
    try {
      int reused = 0;
      LockFile.Hold writer;
      try (LockFile.Hold _ = lock()) {
        if (!exists(id)) {
          reused = create(files, model.with(layout), layout, prompt);
        }
        writer = onlyWriter(files);
      }
      counters.tokensReused.add(reused);
      return new ConversationOpener(this, files, options, reused)
          .open(writer, model.with(layout), layout);
    } catch (IOException e) {
      throw failure("cannot open conversation '%s'".formatted(id), files.folder(), e);
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
      new NewConversation(this).create(files, layout, fingerprint);
      return 0;
    }
    new NewConversation(this).fork(match.get().journal(), files, match.get().tokens());
    return match.get().tokens();
  }

  /**
   * Makes a conversation whose fingerprint is known, for an import: {@code stored} is what {@link
   * Conversation#fingerprint} said where the rows come from.
   *
   * @throws GatunException if the name is taken
   */
  public Conversation restore(String id, Fingerprint stored, KvLayout layout) {
    ConversationFiles files = files(id);
    try {
      LockFile.Hold writer;
      try (LockFile.Hold _ = lock()) {
        requireFree(files);
        new NewConversation(this).create(files, layout, stored);
        writer = onlyWriter(files);
      }
      return new ConversationOpener(this, files, options, 0).open(writer, stored, layout);
    } catch (IOException e) {
      throw failure("cannot make conversation '%s'".formatted(id), files.folder(), e);
    }
  }

  /**
   * Cuts a conversation at a position, see {@link Conversation#truncate}.
   *
   * @throws GatunException if it has fewer tokens, is open for writing, or does not exist
   */
  public void truncate(String id, long tokens) {
    ConversationFiles files = files(id);
    requireExisting(files);
    try {
      JournalHeader header = JournalFile.header(files.journal());
      LockFile.Hold writer;
      try (LockFile.Hold _ = lock()) {
        writer = onlyWriter(files);
      }
      try (Conversation conversation =
          new ConversationOpener(this, files, options, 0)
              .open(writer, header.fingerprint(), header.layout())) {
        int known = conversation.tokens().count();
        if (tokens < 0 || tokens > known) {
          throw new GatunException(
              "cannot truncate '%s' to %,d tokens: it has %,d".formatted(id, tokens, known));
        }
        conversation.truncate(tokens);
      }
    } catch (IOException e) {
      throw failure("cannot truncate '%s'".formatted(id), files.folder(), e);
    }
  }

  private LockFile.Hold onlyWriter(ConversationFiles files) throws IOException {
    LockFile.Hold writer = writer(files);
    try {
      Copies.refuse(this, files);
    } catch (IOException | RuntimeException e) {
      writer.close();
      throw e;
    }
    return writer;
  }

  private LockFile.Hold writer(ConversationFiles files) throws IOException {
    Folders.requireFolder(files.folder());
    Optional<LockFile.Hold> writer = LockFile.tryWriter(files.lock());
    return writer.orElseThrow(() -> inUse(files));
  }

  private static GatunException inUse(ConversationFiles files) {
    try {
      return new GatunException(
          "conversation '%s' is open for writing in %s; it can have one writer at a time"
              .formatted(files.id(), LockFile.holder(files.lock())));
    } catch (IOException e) {
      return new GatunException(
          "conversation '%s' is open for writing elsewhere".formatted(files.id()), e);
    }
  }

  /** The names of all conversations, sorted. */
  public List<String> ids() {
    try {
      return Folders.names(conversations).stream()
          .filter(name -> name.matches("[A-Za-z0-9_-]{1,64}"))
          .toList();
    } catch (IOException e) {
      throw failure("cannot list the conversations", conversations, e);
    }
  }

  /** What there is to say about every conversation, without opening any. */
  public List<ConversationInfo> list() {
    return locked("list the conversations", () -> Census.take(this).infos());
  }

  /**
   * What there is to say about one conversation, without opening it.
   *
   * @throws GatunException if there is none of this name
   */
  public ConversationInfo info(String id) {
    requireExisting(files(id));
    return list().stream()
        .filter(info -> info.id().equals(id))
        .findFirst()
        .orElseThrow(() -> missing(id));
  }

  /**
   * Opens a conversation for reading; a writer may go on with it meanwhile, here or in another
   * process.
   */
  public ConversationReader read(String id) {
    ConversationFiles files = files(id);
    requireExisting(files);
    try {
      return ConversationReader.open(this, files);
    } catch (IOException e) {
      throw failure("cannot read conversation '%s'".formatted(id), files.folder(), e);
    }
  }

  /**
   * Makes a conversation from the first {@code at} tokens of another one. No K/V byte is copied; both
   * go on independently. The source may be open; what it has not committed is not taken.
   *
   * @throws GatunException if the source has fewer tokens, or the new name is taken
   */
  public void fork(String id, String newId, long at) {
    ConversationFiles source = files(id);
    ConversationFiles target = files(newId);
    locked(
        "fork '%s'".formatted(id),
        () -> {
          requireExisting(source);
          requireFree(target);
          JournalFile journal = JournalFile.read(source.journal());
          long known = journal.state().tokens().count();
          if (at < 0 || at > known) {
            throw new GatunException(
                "cannot fork '%s' at %,d tokens: it has %,d".formatted(id, at, known));
          }
          new NewConversation(this).fork(journal, target, at);
          return null;
        });
  }

  /** Makes a conversation with all tokens of another one, see {@link #fork(String, String, long)}. */
  public void fork(String id, String newId) {
    fork(id, newId, info(id).tokens());
  }

  /**
   * Gives a conversation another name.
   *
   * @throws GatunException if it is open for writing, or the name is taken
   */
  public void rename(String id, String newId) {
    ConversationFiles source = files(id);
    ConversationFiles target = files(newId);
    locked(
        "rename '%s'".formatted(id),
        () -> {
          requireExisting(source);
          requireFree(target);
          try (LockFile.Hold _ = writer(source)) {
            Files.move(source.folder(), target.folder(), StandardCopyOption.ATOMIC_MOVE);
            Folders.force(conversations);
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
    ConversationFiles files = files(id);
    return locked(
        "delete '%s'".formatted(id),
        () -> {
          requireExisting(files);
          try (LockFile.Hold _ = writer(files)) {
            return Deletion.run(this, files, Census.take(this));
          }
        });
  }

  /** Keeps a conversation from being evicted, or lets it be again. */
  public void pin(String id, boolean pinned) {
    ConversationFiles files = files(id);
    locked(
        "pin '%s'".formatted(id),
        () -> {
          requireExisting(files);
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
   */
  public Eviction evict(long targetBytes, boolean dryRun) {
    return locked("evict conversations", () -> new Evictor(this).run(targetBytes, dryRun));
  }

  /**
   * Removes what crashes left behind: unfinished conversations and blocks that no journal names.
   *
   * @param dryRun only says what would go
   */
  public Garbage gc(boolean dryRun) {
    return locked("collect garbage", () -> new GarbageCollector(this, dryRun).run());
  }

  /**
   * Compares everything that a conversation has on disk with its checksums.
   *
   * @param progress is told how many bytes of rows were read since it was last told
   */
  public Verification verify(String id, LongConsumer progress) {
    ConversationFiles files = files(id);
    requireExisting(files);
    try {
      return new Verifier(this).run(files, progress);
    } catch (IOException e) {
      throw failure("cannot verify '%s'".formatted(id), files.folder(), e);
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
          new Evictor(this).bytes(),
          mapped,
          resident,
          counters.bytesWritten.sum(),
          counters.commits.sum(),
          counters.tokensAccepted.sum(),
          counters.tokensReused.sum());
    } catch (IOException e) {
      throw failure("cannot measure the store", folder, e);
    }
  }

  /** Lets go of the store. Conversations that are still open stay so. */
  @Override
  public void close() {}

  ConversationFiles files(String id) {
    ConversationFiles.requireId(id);
    return new ConversationFiles(id, conversations.resolve(id));
  }

  BlockFolder blockFolder() {
    return blocks;
  }

  Path conversations() {
    return conversations;
  }

  Counters counters() {
    return counters;
  }

  private void requireExisting(ConversationFiles files) {
    if (!Files.exists(files.folder(), LinkOption.NOFOLLOW_LINKS)) {
      throw missing(files.id());
    }
    Folders.requireFolder(files.folder());
  }

  private GatunException missing(String id) {
    return new GatunException("there is no conversation '%s' in %s".formatted(id, folder));
  }

  private static void requireFree(ConversationFiles files) {
    if (Files.exists(files.folder(), LinkOption.NOFOLLOW_LINKS)) {
      throw new GatunException(
          "there is a conversation '%s' already; choose another name".formatted(files.id()));
    }
  }

  /** Whether somebody has a conversation open for writing now. */
  boolean openForWriting(ConversationFiles files) throws IOException {
    Optional<LockFile.Hold> writer = LockFile.tryWriter(files.lock());
    writer.ifPresent(LockFile.Hold::close);
    return writer.isEmpty();
  }

  /** An operation on the files of the store. */
  @FunctionalInterface
  private interface Operation<T> {
    T run() throws IOException;
  }

  private <T> T locked(String what, Operation<T> operation) {
    try (LockFile.Hold _ = lock()) {
      return operation.run();
    } catch (IOException e) {
      throw failure("cannot " + what, folder, e);
    }
  }

  void opened(Conversation conversation) {
    open.add(conversation);
  }

  void closed(Conversation conversation) {
    open.remove(conversation);
  }

  /** Notes that a conversation was used now. */
  void touch(ConversationFiles files) {
    try {
      Folders.createFile(files.used());
      Files.setLastModifiedTime(files.used(), FileTime.fromMillis(System.currentTimeMillis()));
    } catch (IOException e) {
      throw failure("cannot note the time of use", files.used(), e);
    }
  }

  /** Waits for the store's lock: held for moments only, while conversations come and go. */
  LockFile.Hold lock() throws IOException {
    return LockFile.writer(folder.resolve("store.lock"));
  }

  /** Asked before a conversation makes a block file: sees to the disk budget. */
  void beforeAllocating(long bytes) {
    if (options.budgetBytes() > 0) {
      locked(
          "keep to the disk budget",
          () -> {
            new Evictor(this).makeRoom(bytes, options.budgetBytes());
            return null;
          });
    }
  }

  /** Removes those of the blocks that no journal names. Their owners must not be making them. */
  void collect(Collection<Long> candidates) {
    locked(
        "remove blocks that are no longer needed",
        () -> {
          Deletion.unnamed(this, candidates);
          return null;
        });
  }

  static GatunException failure(String what, Path where, IOException e) {
    return new GatunException("%s at %s: %s".formatted(what, where, reason(e)), e);
  }

  private static String reason(IOException e) {
    return switch (e) {
      case AccessDeniedException denied -> "no permission for " + denied.getFile();
      case NoSuchFileException none -> "there is no " + none.getFile();
      case FileSystemException system when system.getReason() != null -> system.getReason();
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }
}
