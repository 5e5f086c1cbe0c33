package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;

/**
 * The folder that a backup is made in: a store, with marks that say of which one it is a backup.
 *
 * <pre>
 *   DEST/
 *     backup                       see {@link BackupMark}
 *     backup.lock                  held while a backup is made
 *     backup.part, backup.part-*   block files that are not whole, or not in place yet
 *     blocks/  conversations/      as in any store
 * </pre>
 *
 * <p>One thread; open until the backup is done.
 */
final class BackupFolder implements AutoCloseable {
  private static final String LOCK = "backup.lock";
  private static final String PART = "backup.part";

  private final StoreFolder store;
  private final LockFile.Hold lock;

  private BackupFolder(StoreFolder store, LockFile.Hold lock) {
    this.store = store;
    this.lock = lock;
  }

  /**
   * Takes a folder for the backup of a store: a new or empty one, or one with an earlier backup of
   * the same store.
   *
   * @throws GatunException if it is anything else, lies inside the store or around it, or another
   *     backup is just made in it
   */
  static BackupFolder open(StoreFolder source, Path folder) throws IOException {
    Path place = real(folder);
    refuseNear(source, place);
    List<String> names =
        Files.exists(place, LinkOption.NOFOLLOW_LINKS) ? FileLook.names(place) : List.of();
    boolean marked = names.contains(BackupMark.NAME);
    boolean fresh = names.stream().allMatch(name -> name.startsWith(BackupMark.NAME));
    String origin = source.path().toUri().toString();
    if (marked && !fresh) {
      requireSame(origin, BackupMark.read(place), place);
    } else if (!fresh) {
      throw new GatunException(
          "%s is neither empty nor a backup (there is no file '%s' in it): name a new or an empty folder"
              .formatted(place, BackupMark.NAME));
    }
    if (names.isEmpty()) {
      Folders.createAll(place.getParent());
      Folders.create(place);
    }
    Folders.requirePrivate(place);
    LockFile.Hold lock =
        LockFile.tryWriter(place.resolve(LOCK))
            .orElseThrow(() ->
                new GatunException(
                    "another backup is being made in %s: wait for it, or name another folder"
                        .formatted(place)));
    try {
      if (fresh) {
        // First, so that a backup that is cut off is known as one.
        BackupMark.write(place, List.of(origin));
      }
      StoreFolder store = StoreFolder.open(place);
      for (String name : names) {
        if (name.startsWith(PART)) {
          Files.deleteIfExists(place.resolve(name));
        }
      }
      return new BackupFolder(store, lock);
    } catch (IOException | RuntimeException e) {
      lock.close();
      throw e;
    }
  }

  /** The path without links, also where its last folders do not exist yet. */
  private static Path real(Path folder) throws IOException {
    Path absolute = folder.toAbsolutePath().normalize();
    Path there = absolute;
    while (Files.notExists(there)) {
      there = there.getParent();
    }
    return there.toRealPath().resolve(there.relativize(absolute)).normalize();
  }

  private static void refuseNear(StoreFolder source, Path place) throws IOException {
    boolean same = place.equals(source.path());
    Path conversations = place.resolve("conversations");
    if (FileLook.isFolder(conversations)) {
      same |= Files.isSameFile(conversations, source.conversations());
    }
    if (same) {
      throw new GatunException(
          "%s is the store itself: name another folder for its backup".formatted(place));
    }
    if (place.startsWith(source.path()) || source.path().startsWith(place)) {
      throw new GatunException(
          "%s lies %s the store %s: name a folder beside it for its backup"
              .formatted(
                  place, place.startsWith(source.path()) ? "inside" : "around", source.path()));
    }
  }

  private static void requireSame(String origin, List<String> marked, Path place) {
    if (!marked.contains(origin)) {
      throw new GatunException(
          "%s is a backup of %s, not of %s: name another folder. If the store has moved, put '%s' into the second line of %s"
              .formatted(
                  place,
                  marked.isEmpty() ? "nothing that can be read" : marked.getFirst(),
                  Path.of(URI.create(origin)),
                  origin,
                  place.resolve(BackupMark.NAME)));
    }
  }

  /** It as a store. */
  StoreFolder store() {
    return store;
  }

  /** Where a block file stands until it is whole. */
  Path part() {
    return store.path().resolve(PART);
  }

  /** Lets others make backups here. */
  @Override
  public void close() {
    lock.close();
  }
}
