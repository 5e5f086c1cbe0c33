package io.gatun.store;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

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
  private static final long LOCK_PATIENCE_NANOS = 30_000_000_000L;

  private final Path folder;
  private final Path conversations;
  private final BlockFolder blocks;
  private final StoreOptions options;
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
    ConversationFiles files = files(id);
    try {
      LockFile.Hold writer;
      try (LockFile.Hold _ = lock()) {
        if (!exists(id)) {
          create(files, model, layout);
        }
        writer = writer(files);
      }
      return new ConversationOpener(this, files, options).open(writer, model, layout);
    } catch (IOException e) {
      throw failure("cannot open conversation '%s'".formatted(id), files.folder(), e);
    }
  }

  /** Makes a conversation without tokens. Called with the store's lock held. */
  private void create(ConversationFiles files, Fingerprint model, KvLayout layout)
      throws IOException {
    int owner = blocks.newOwner();
    JournalHeader header =
        new JournalHeader(owner, System.currentTimeMillis(), layout, model.with(layout));
    Path unfinished = conversations.resolve(".new-" + UUID.randomUUID());
    try {
      Folders.create(unfinished);
      Journal.create(unfinished.resolve("journal"), header);
      Folders.createFile(unfinished.resolve("used"));
      Folders.force(unfinished);
      Files.move(unfinished, files.folder(), StandardCopyOption.ATOMIC_MOVE);
      Folders.force(conversations);
    } catch (IOException | RuntimeException e) {
      Folders.delete(unfinished);
      blocks.deleteOwnerIfEmpty(owner);
      throw e;
    }
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
    Path file = folder.resolve("store.lock");
    long start = System.nanoTime();
    while (true) {
      Optional<LockFile.Hold> hold = LockFile.tryWriter(file);
      if (hold.isPresent()) {
        return hold.get();
      }
      if (System.nanoTime() - start > LOCK_PATIENCE_NANOS) {
        throw new GatunException(
            "%s has been locked for 30 s by %s; wait for it or end it"
                .formatted(file, LockFile.holder(file)));
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** Asked before a conversation makes a block file. */
  void beforeAllocating(long bytes) {}

  /** Removes those of the blocks that no journal names. Their owners must not be making them. */
  void collect(Collection<Long> candidates) {
    try (LockFile.Hold _ = lock()) {
      Optional<Set<Long>> named = new BlockReferences(this).all();
      if (named.isPresent()) {
        for (long block : candidates) {
          if (!named.get().contains(block)) {
            blocks.delete(block);
          }
        }
      }
    } catch (IOException e) {
      throw failure("cannot remove blocks that are no longer needed", folder, e);
    }
  }

  static GatunException failure(String what, Path where, IOException e) {
    return new GatunException("%s at %s: %s".formatted(what, where, reason(e)), e);
  }

  private static String reason(IOException e) {
    String name = e.getClass().getSimpleName();
    String message = e.getMessage();
    return e.getClass() == IOException.class ? message : name + " " + message;
  }
}
