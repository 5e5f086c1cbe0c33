package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * A store on disk: where its files lie, and the locks that guard them. What conversations mean is
 * the business of others. Any thread, any number of instances and processes.
 *
 * <pre>
 *   store/
 *     store.lock              only ever opened by the lock; held while conversations come and go
 *     blocks/&lt;owner&gt;/&lt;n&gt;.kv   K/V rows, see {@link BlockFolder}
 *     conversations/&lt;id&gt;/     journal, lock and marks of one conversation
 * </pre>
 */
final class StoreFolder {
  private final Path folder;
  private final Path conversations;
  private final BlockFolder blocks;

  private StoreFolder(Path folder) {
    this.folder = folder;
    this.conversations = folder.resolve("conversations");
    this.blocks = new BlockFolder(folder.resolve("blocks"));
  }

  /**
   * Takes a folder as a store, and makes it if there is none. Nothing is made or written where all
   * of it is there, so a store that can only be read is taken, too.
   *
   * @throws GatunException if it is not a folder, or can be written to by other users
   */
  static StoreFolder open(Path folder) throws IOException {
    if (Files.notExists(folder)) {
      Path parent = folder.toAbsolutePath().normalize().getParent();
      Folders.createAll(parent);
      Folders.create(folder);
    }
    Path real = folder.toRealPath();
    FileLook.requireFolder(real);
    Folders.requirePrivate(real);
    StoreFolder store = new StoreFolder(real);
    Folders.create(store.conversations);
    Folders.create(real.resolve("blocks"));
    Folders.requirePrivate(store.conversations);
    Folders.requirePrivate(real.resolve("blocks"));
    return store;
  }

  Path path() {
    return folder;
  }

  Path conversations() {
    return conversations;
  }

  BlockFolder blocks() {
    return blocks;
  }

  /**
   * Where the files of a conversation lie, if there is one.
   *
   * @throws GatunException if the name cannot be one
   */
  ConversationFiles files(String id) {
    ConversationFiles.requireId(id);
    return new ConversationFiles(id, conversations.resolve(id));
  }

  /** The names of all conversations, sorted. */
  List<String> ids() throws IOException {
    return FileLook.names(conversations).stream().filter(ConversationFiles::canName).toList();
  }

  /** Whether there is something of this conversation's name. */
  boolean exists(ConversationFiles files) throws IOException {
    return FileLook.exists(files.folder());
  }

  void requireExisting(ConversationFiles files) throws IOException {
    if (!exists(files)) {
      throw missing(files.id());
    }
    FileLook.requireFolder(files.folder());
  }

  GatunException missing(String id) {
    return new GatunException("there is no conversation '%s' in %s".formatted(id, folder));
  }

  void requireFree(ConversationFiles files) throws IOException {
    if (exists(files)) {
      throw new GatunException(
          "there is a conversation '%s' already; choose another name".formatted(files.id()));
    }
  }

  /**
   * Waits for the store's lock: held for moments only, while conversations come and go.
   *
   * @throws GatunException after {@link LockFile#PATIENCE_SECONDS}, with the holder
   */
  LockFile.Hold lock() throws IOException {
    Optional<String> obstacle = whyReadOnly();
    if (obstacle.isPresent()) {
      throw new GatunException(
          "the store %s can only be read: %s. Its conversations can be listed, verified, read, exported and backed up; for anything else make it writable, or copy it to where you can write"
              .formatted(folder, obstacle.get()));
    }
    return LockFile.writer(storeLock());
  }

  private Path storeLock() {
    return folder.resolve("store.lock");
  }

  /**
   * Why the store can only be read, for the end of a sentence; empty if it can be written to. Looked
   * up each time: a file system may be mounted anew.
   */
  Optional<String> whyReadOnly() throws IOException {
    Path lock = storeLock();
    for (Path place :
        List.of(conversations, blocks.path(), FileLook.exists(lock) ? lock : folder)) {
      Optional<String> obstacle = FileLook.whyNotWritable(place);
      if (obstacle.isPresent()) {
        return obstacle;
      }
    }
    return Optional.empty();
  }

  /** An operation on the files of the store. */
  @FunctionalInterface
  interface Operation<T> {
    T run() throws IOException;
  }

  /** Runs an operation with the store's lock held; {@code what} completes "cannot ...". */
  <T> T locked(String what, Operation<T> operation) {
    try (LockFile.Hold _ = lock()) {
      return operation.run();
    } catch (IOException e) {
      throw IoFailure.of("cannot " + what, folder, e);
    }
  }

  /**
   * As {@link #locked}, for an operation that only looks. Where the store can only be read, the lock
   * is shared: it keeps out whoever may write to the store by another way.
   */
  <T> T lockedToRead(String what, Operation<T> operation) {
    try (LockFile.Hold _ =
        whyReadOnly().isPresent() ? LockFile.sharedWriter(storeLock()) : lock()) {
      return operation.run();
    } catch (IOException e) {
      throw IoFailure.of("cannot " + what, folder, e);
    }
  }

  /**
   * Becomes the writer of a conversation. Store's lock held.
   *
   * @throws GatunException if there is one already, named by its process
   */
  LockFile.Hold writer(ConversationFiles files) throws IOException {
    FileLook.requireFolder(files.folder());
    Optional<LockFile.Hold> writer = LockFile.tryWriter(files.lock());
    return writer.orElseThrow(() -> inUse(files));
  }

  /** As {@link #writer}, refusing folders that were copied by hand: both would write the blocks. */
  LockFile.Hold onlyWriter(ConversationFiles files) throws IOException {
    LockFile.Hold writer = writer(files);
    try {
      Copies.refuse(this, files);
    } catch (IOException | RuntimeException e) {
      writer.close();
      throw e;
    }
    return writer;
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

  /** Whether somebody has a conversation open for writing now. */
  boolean openForWriting(ConversationFiles files) throws IOException {
    return LockFile.hasWriter(files.lock());
  }

  /** Notes that a conversation was used now. The order of eviction is all that depends on it. */
  void touch(ConversationFiles files) {
    try {
      Folders.createFile(files.used());
      Files.setLastModifiedTime(files.used(), FileTime.fromMillis(System.currentTimeMillis()));
    } catch (IOException | GatunException e) {
      System.getLogger("io.gatun.store")
          .log(
              System.Logger.Level.WARNING,
              "could not note the time of use in %s: %s"
                  .formatted(files.used(), IoFailure.reason(e)));
    }
  }

  /** Removes those of the blocks that no journal names. Their owners must not be making them. */
  void collect(Collection<Long> candidates) {
    collect(candidates, false, BlockFolder.NOBODY, () -> false);
  }

  /**
   * As {@link #collect(Collection)}; blocks of {@code owner} without looking at other journals where
   * {@code ownersAlone} says, with the store's lock held, that no other journal can name them.
   */
  void collect(Collection<Long> candidates, boolean erase, int owner, BooleanSupplier ownersAlone) {
    locked(
        "remove blocks that are no longer needed",
        () -> {
          boolean own = candidates.stream().allMatch(block -> BlockFolder.owner(block) == owner);
          if (own && ownersAlone.getAsBoolean()) {
            for (long block : candidates) {
              Deletion.delete(blocks, block, erase);
            }
          } else {
            Deletion.unnamed(this, candidates, erase);
          }
          return null;
        });
  }
}
