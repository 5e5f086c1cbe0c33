package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The lock on one file, between the threads of this process and between processes: one writer and
 * any number of readers, which do not exclude each other.
 *
 * <pre>
 *   byte  0       locked by the writer, exclusively
 *   byte  1       locked by readers, shared
 *   bytes 16 ...  the writer's process id in decimal, for messages only
 *   bytes 36 ...  when that process was started, milliseconds since 1970: tells processes of the
 *                 same number, of different containers, apart
 * </pre>
 *
 * <p>Where the file can only be read, shared locks are had all the same. Where there is none and none
 * can be made, they are nobody's: such a file was never locked, and who could write makes one first.
 *
 * <p>No monitor is held and no other opening is kept waiting while one waits here, and no wait is
 * longer than {@link #PATIENCE_SECONDS}. Nothing else opens a lock file. Any thread, interrupted or
 * not.
 */
final class LockFile {
  /** How long to wait for a lock that is held for moments only. */
  static final int PATIENCE_SECONDS = 10;

  private static final long WRITER = 0;
  private static final long READERS = 1;
  private static final long HOLDER = 16;
  private static final int FIELD = 20;

  private static volatile FileLocks locks;

  private LockFile() {}

  /** A lock that is held until it is closed. */
  interface Hold extends AutoCloseable {
    @Override
    void close();

    private static Hold of(FileLocks.Locked lock) {
      return lock::close;
    }
  }

  /** Becomes the writer; empty if there is one already, here or in another process. */
  static Optional<Hold> tryWriter(Path file) throws IOException {
    Optional<FileLocks.Locked> locked = locks(file).tryLock(file, WRITER, false);
    locked.ifPresent(LockFile::noteHolder);
    return locked.map(Hold::of);
  }

  /**
   * Becomes the writer, after whoever is now. For locks that are held for moments only.
   *
   * @throws GatunException after {@link #PATIENCE_SECONDS}
   */
  static Hold writer(Path file) throws IOException {
    return waitFor(() -> tryWriter(file), file, WRITER);
  }

  /**
   * Becomes a reader. Only an older Gatun, or one without native access, can make this wait: it
   * holds the readers' byte for an instant when it looks for readers.
   *
   * @throws GatunException after {@link #PATIENCE_SECONDS}
   */
  static Hold reader(Path file) throws IOException {
    return shared(file, READERS);
  }

  /**
   * Keeps the writer out, together with others that do so, after whoever is the writer now. For
   * moments only.
   *
   * @throws GatunException after {@link #PATIENCE_SECONDS}
   */
  static Hold sharedWriter(Path file) throws IOException {
    return shared(file, WRITER);
  }

  private static Hold shared(Path file, long at) throws IOException {
    if (!FileLook.exists(file) && FileLook.whyNotWritable(file.getParent()).isPresent()) {
      return () -> {};
    }
    return waitFor(() -> locks(file).tryLock(file, at, true).map(Hold::of), file, at);
  }

  private static Hold waitFor(Uninterrupted.Operation<Optional<Hold>> lock, Path file, long at)
      throws IOException {
    long start = System.nanoTime();
    boolean interrupted = false;
    try {
      while (true) {
        Optional<Hold> hold = lock.run();
        if (hold.isPresent()) {
          return hold.get();
        }
        if (System.nanoTime() - start > PATIENCE_SECONDS * 1_000_000_000L) {
          throw new GatunException(
              "%s has been locked for %d s by %s; wait until that process is done with it, or end it ('fuser -v %s' names it), and try again"
                  .formatted(file, PATIENCE_SECONDS, holder(file, at), file));
        }
        try {
          Thread.sleep(1);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Whether anybody, here or elsewhere, is a reader now. */
  static boolean hasReaders(Path file) throws IOException {
    return FileLook.exists(file) && locks(file).locked(file, READERS);
  }

  /** Whether anybody, here or elsewhere, is the writer now. */
  static boolean hasWriter(Path file) throws IOException {
    return FileLook.exists(file) && locks(file).locked(file, WRITER);
  }

  /** The process that is or was the last writer, for a message. */
  static String holder(Path file) throws IOException {
    return holder(file, WRITER);
  }

  private static String holder(Path file, long at) throws IOException {
    OptionalLong told = locks(file).process(file, at);
    if (told.isPresent()) {
      boolean ours = told.getAsLong() == ProcessHandle.current().pid();
      return "process " + told.getAsLong() + (ours ? ", this one" : "");
    }
    byte[] note = at == WRITER ? locks(file).read(file, HOLDER, 2 * FIELD) : new byte[0];
    if (Arrays.equals(note, Me.NOTE)) {
      return "process %d, this one".formatted(ProcessHandle.current().pid());
    }
    String pid = new String(note, 0, Math.min(FIELD, note.length), StandardCharsets.US_ASCII);
    return pid.trim().matches("[0-9]+") ? "process " + pid.trim() : "another process";
  }

  private static FileLocks locks(Path file) throws IOException {
    FileLocks known = locks;
    if (known == null) {
      Folders.createFile(file);
      known = FileLocks.bestFor(file);
      locks = known;
    }
    return known;
  }

  /** What this process writes into the lock files that it holds. */
  private static final class Me {
    static final byte[] NOTE =
        ("%-" + FIELD + "d%-" + FIELD + "d")
            .formatted(
                ProcessHandle.current().pid(),
                ProcessHandle.current().info().startInstant().orElse(Instant.EPOCH).toEpochMilli())
            .getBytes(StandardCharsets.US_ASCII);
  }

  private static void noteHolder(FileLocks.Locked lock) {
    try {
      lock.write(Me.NOTE, HOLDER);
    } catch (IOException e) {
      // It stands in messages only: on a full disk the lock must be had all the same, to delete.
      System.getLogger("io.gatun.store")
          .log(System.Logger.Level.DEBUG, "could not note the holder of a lock", e);
    }
  }
}
