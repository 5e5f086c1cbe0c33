package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;

/**
 * A file of a store for work under way, such as the plain text of a sealed import. It is gone when
 * this is closed; if the process dies first, the next opening of the store, or {@code gc}, removes
 * it.
 *
 * <pre>
 *   conversations/.work-&lt;uuid&gt;/
 *     lock       held by whoever works; nobody does if it is free
 *     part       the file
 * </pre>
 *
 * <p>Thread rules: any thread.
 */
public final class WorkFile implements AutoCloseable {
  /** What the folder's name begins with. No conversation can have such a name. */
  static final String PREFIX = ".work-";

  private final StoreFolder store;
  private final Path folder;
  private final LockFile.Hold lock;

  private WorkFile(StoreFolder store, Path folder, LockFile.Hold lock) {
    this.store = store;
    this.folder = folder;
    this.lock = lock;
  }

  /** Makes one. The store's lock keeps others from taking it for left behind before it is locked. */
  static WorkFile create(StoreFolder store) {
    return store.locked(
        "make a file to work in",
        () -> {
          Path folder = store.conversations().resolve(PREFIX + UUID.randomUUID());
          try {
            Folders.create(folder);
            Folders.createFile(folder.resolve("part"));
            return new WorkFile(store, folder, LockFile.writer(folder.resolve("lock")));
          } catch (IOException | RuntimeException e) {
            Folders.delete(folder);
            throw e;
          }
        });
  }

  /** Whether a name in {@code conversations/} is that of a work file whose process is gone. */
  static boolean leftBehind(StoreFolder store, String name) throws IOException {
    if (!name.startsWith(PREFIX)) {
      return false;
    }
    Path folder = store.conversations().resolve(name);
    if (!FileLook.isFolder(folder)) {
      return false;
    }
    Optional<LockFile.Hold> lock = LockFile.tryWriter(folder.resolve("lock"));
    lock.ifPresent(LockFile.Hold::close);
    return lock.isPresent();
  }

  /** Removes what was left behind, where the store can be written to. */
  static void collect(StoreFolder store) throws IOException {
    if (FileLook.names(store.conversations()).stream().noneMatch(name -> name.startsWith(PREFIX))
        || store.whyReadOnly().isPresent()) {
      return;
    }
    try (LockFile.Hold _ = store.lock()) {
      for (String name : FileLook.names(store.conversations())) {
        if (leftBehind(store, name)) {
          Folders.delete(store.conversations().resolve(name));
        }
      }
    }
  }

  /** The file: empty at first, readable by its owner only. */
  public Path path() {
    return folder.resolve("part");
  }

  /**
   * Removes the file.
   *
   * @throws GatunException if that fails; {@code gc} will try again
   */
  @Override
  public void close() {
    try (LockFile.Hold _ = lock) {
      Folders.delete(folder);
    } catch (IOException e) {
      throw IoFailure.of("cannot remove the file " + path(), store.path(), e);
    }
  }
}
