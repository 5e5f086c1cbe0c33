package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * The lock on one file, between the threads of this process and between processes: one writer and
 * any number of readers, which do not exclude each other.
 *
 * <pre>
 *   byte  0       locked by the writer, exclusively
 *   byte  1       locked by readers, shared
 *   bytes 16 ...  the writer's process id in decimal, for messages only
 * </pre>
 *
 * <p>Design note: POSIX drops all locks that a process has on a file as soon as it closes any
 * descriptor of that file. So each lock file is open at most once in this process, which the table
 * sees to by the file's identity, and nothing else ever opens it. An interrupt closes a channel, so
 * every operation on one runs in a thread of our own. Any thread.
 */
final class LockFile {
  private static final long WRITER = 0;
  private static final long READERS = 1;
  private static final long HOLDER = 16;
  private static final long PATIENCE_NANOS = 30_000_000_000L;

  /** The lock files open in this process, by file identity. Guards all state of all of them. */
  private static final Map<Object, LockFile> OPEN = new HashMap<>();

  private final Object key;
  private final FileChannel channel;
  private FileLock writer;
  private FileLock reader;
  private int readers;

  private LockFile(Object key, FileChannel channel) {
    this.key = key;
    this.channel = channel;
  }

  /** A lock that is held until it is closed. */
  interface Hold extends AutoCloseable {
    @Override
    void close();
  }

  /** Becomes the writer; empty if there is one already, here or in another process. */
  static Optional<Hold> tryWriter(Path file) throws IOException {
    synchronized (OPEN) {
      LockFile lock = open(file);
      if (lock.writer != null) {
        return Optional.empty();
      }
      try {
        lock.writer = Uninterrupted.onOpenChannel(() -> lock.channel.tryLock(WRITER, 1, false));
        if (lock.writer == null) {
          return Optional.empty();
        }
        lock.noteHolder();
      } finally {
        lock.closeIfUnused();
      }
      return Optional.of(once(lock::releaseWriter));
    }
  }

  /**
   * Becomes the writer, after whoever is now. For locks that are held for moments only.
   *
   * @throws GatunException after 30 s
   */
  static Hold writer(Path file) throws IOException {
    long start = System.nanoTime();
    while (true) {
      Optional<Hold> hold = tryWriter(file);
      if (hold.isPresent()) {
        return hold.get();
      }
      if (System.nanoTime() - start > PATIENCE_NANOS) {
        throw new GatunException(
            "%s has been locked for 30 s by %s; wait for it or end it"
                .formatted(file, holder(file)));
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** Becomes a reader. */
  static Hold reader(Path file) throws IOException {
    synchronized (OPEN) {
      LockFile lock = open(file);
      try {
        if (lock.readers == 0) {
          // A writer that looks for readers holds this byte for an instant.
          lock.reader = Uninterrupted.onOpenChannel(() -> lock.channel.lock(READERS, 1, true));
        }
        lock.readers++;
      } finally {
        lock.closeIfUnused();
      }
      return once(lock::releaseReader);
    }
  }

  /** Whether anybody, here or elsewhere, is a reader now. */
  static boolean hasReaders(Path file) throws IOException {
    synchronized (OPEN) {
      LockFile lock = open(file);
      try {
        if (lock.readers > 0) {
          return true;
        }
        FileLock probe = Uninterrupted.onOpenChannel(() -> lock.channel.tryLock(READERS, 1, false));
        if (probe == null) {
          return true;
        }
        release(probe);
        return false;
      } finally {
        lock.closeIfUnused();
      }
    }
  }

  /** The process that is or was the last writer, for a message. */
  static String holder(Path file) throws IOException {
    synchronized (OPEN) {
      LockFile lock = open(file);
      try {
        if (lock.writer != null) {
          return "process %d, this one".formatted(ProcessHandle.current().pid());
        }
        ByteBuffer text = ByteBuffer.allocate(20);
        Uninterrupted.onOpenChannel(() -> lock.channel.read(text.clear(), HOLDER));
        String pid = new String(text.array(), 0, text.position(), StandardCharsets.US_ASCII).trim();
        return pid.matches("[0-9]+") ? "process " + pid : "another process";
      } finally {
        lock.closeIfUnused();
      }
    }
  }

  private static LockFile open(Path file) throws IOException {
    Folders.createFile(file);
    // The identity comes from the name, not from an open descriptor: see the design note.
    Object key = key(file);
    LockFile lock = OPEN.get(key);
    if (lock == null) {
      FileChannel channel =
          FileChannel.open(
              file, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.READ, StandardOpenOption.WRITE);
      lock = new LockFile(key, channel);
      OPEN.put(key, lock);
    }
    return lock;
  }

  private static Object key(Path file) throws IOException {
    Object key =
        Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
    return key == null ? file.toRealPath() : key;
  }

  private void noteHolder() {
    byte[] pid =
        "%-20d".formatted(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII);
    try {
      Uninterrupted.onOpenChannel(() -> channel.write(ByteBuffer.wrap(pid), HOLDER));
    } catch (IOException e) {
      // It stands in messages only: on a full disk the lock must be had all the same, to delete.
      System.getLogger("io.gatun.store")
          .log(System.Logger.Level.DEBUG, "could not note the holder of a lock", e);
    }
  }

  private void releaseWriter() {
    synchronized (OPEN) {
      writer = release(writer);
      closeIfUnused();
    }
  }

  private void releaseReader() {
    synchronized (OPEN) {
      readers--;
      if (readers == 0) {
        reader = release(reader);
      }
      closeIfUnused();
    }
  }

  private static FileLock release(FileLock lock) {
    try {
      Uninterrupted.onOpenChannel(() -> {
        lock.release();
        return null;
      });
    } catch (IOException e) {
      // The channel is gone, and the lock with it: that is what was asked for.
      return null;
    }
    return null;
  }

  private void closeIfUnused() {
    if (writer != null || readers > 0) {
      return;
    }
    OPEN.remove(key);
    try {
      Uninterrupted.onOpenChannel(() -> {
        channel.close();
        return null;
      });
    } catch (IOException e) {
      throw new IllegalStateException("a lock file could not be closed", e);
    }
  }

  private static Hold once(Runnable release) {
    return new Hold() {
      private boolean closed;

      @Override
      public void close() {
        synchronized (OPEN) {
          if (!closed) {
            closed = true;
            release.run();
          }
        }
      }
    };
  }
}
