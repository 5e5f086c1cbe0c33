package io.gatun.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;

/**
 * Java's own locks, for where {@link OpenFileLocks} do not work.
 *
 * <p>Design note: such a lock belongs to the process, and POSIX drops all that a process has on a
 * file as soon as it closes any descriptor of it. So each lock file is open at most once in this
 * process: a table sees to that within one class loader, by the file's identity, and between class
 * loaders a system property, {@code io.gatun.lock} and that identity, for as long as the file is
 * open. Another class loader is told that the file is locked, without a look at it. An interrupt
 * closes a channel, so every operation on one runs in a thread of our own.
 */
final class ChannelLocks implements FileLocks {
  private static final String PROPERTY = "io.gatun.lock ";
  private static final String THIS_LOADER = UUID.randomUUID().toString();

  /** The lock files open in this class loader, by identity. Guards all state of all of them. */
  private static final Map<String, OpenFile> OPEN = new HashMap<>();

  private static final class OpenFile {
    final String identity;
    final FileChannel channel;

    /** Whether it could be opened for writing; exclusive locks need that. */
    final boolean writable;

    final Map<Long, Shares> held = new HashMap<>();

    /** Code that is not ours has a lock on it, in this process: closing it would drop that. */
    boolean keep;

    OpenFile(String identity, FileChannel channel, boolean writable) {
      this.identity = identity;
      this.channel = channel;
      this.writable = writable;
    }
  }

  /** A byte that is locked, by one or, if it is shared, by several. */
  private static final class Shares {
    final FileLock lock;
    int count = 1;

    Shares(FileLock lock) {
      this.lock = lock;
    }
  }

  @Override
  public Optional<Locked> tryLock(Path file, long at, boolean shared) throws IOException {
    synchronized (OPEN) {
      Optional<OpenFile> opened = open(file);
      if (opened.isEmpty()) {
        return Optional.empty();
      }
      OpenFile open = opened.get();
      try {
        Shares shares = open.held.get(at);
        if (shares != null && !(shared && shares.lock.isShared())) {
          return Optional.empty();
        }
        if (shares != null) {
          shares.count++;
        } else {
          if (!shared && !open.writable) {
            throw new AccessDeniedException(file.toString());
          }
          FileLock lock = tryLock(open, at, shared);
          if (lock == null) {
            return Optional.empty();
          }
          open.held.put(at, new Shares(lock));
        }
        return Optional.of(new Held(open, at));
      } finally {
        closeIfUnused(open);
      }
    }
  }

  /** Null if somebody else holds it. */
  private static FileLock tryLock(OpenFile open, long at, boolean shared) throws IOException {
    return Uninterrupted.onOpenChannel(() -> {
      try {
        return open.channel.tryLock(at, 1, shared);
      } catch (OverlappingFileLockException e) {
        open.keep = true;
        return null;
      }
    });
  }

  private static final class Held implements Locked {
    private final OpenFile open;
    private final long at;
    private boolean closed;

    Held(OpenFile open, long at) {
      this.open = open;
      this.at = at;
    }

    @Override
    public void write(byte[] bytes, long at) throws IOException {
      Uninterrupted.onOpenChannel(() -> open.channel.write(ByteBuffer.wrap(bytes), at));
    }

    @Override
    public void close() {
      synchronized (OPEN) {
        if (closed) {
          return;
        }
        closed = true;
        Shares shares = open.held.get(at);
        shares.count--;
        if (shares.count == 0) {
          open.held.remove(at);
          release(shares.lock);
        }
        closeIfUnused(open);
      }
    }
  }

  @Override
  public boolean locked(Path file, long at) throws IOException {
    synchronized (OPEN) {
      if (Files.notExists(file, LinkOption.NOFOLLOW_LINKS)) {
        return false;
      }
      Optional<OpenFile> opened = open(file);
      if (opened.isEmpty()) {
        return true;
      }
      OpenFile open = opened.get();
      try {
        if (open.held.containsKey(at)) {
          return true;
        }
        // On a file that can only be read, a shared lock: it finds the writer, not other readers.
        FileLock probe = tryLock(open, at, !open.writable);
        if (probe == null) {
          return true;
        }
        release(probe);
        return false;
      } finally {
        closeIfUnused(open);
      }
    }
  }

  @Override
  public OptionalLong process(Path file, long at) throws IOException {
    synchronized (OPEN) {
      String owner = System.getProperty(PROPERTY + identity(file));
      OpenFile open = OPEN.get(identity(file));
      boolean ours = open != null && open.held.containsKey(at);
      boolean otherLoaders = owner != null && !owner.equals(THIS_LOADER);
      return ours || otherLoaders
          ? OptionalLong.of(ProcessHandle.current().pid())
          : OptionalLong.empty();
    }
  }

  @Override
  public byte[] read(Path file, long at, int length) throws IOException {
    synchronized (OPEN) {
      Optional<OpenFile> opened = open(file);
      if (opened.isEmpty()) {
        return new byte[0];
      }
      OpenFile open = opened.get();
      try {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        Uninterrupted.onOpenChannel(() -> open.channel.read(bytes.clear(), at));
        return Arrays.copyOf(bytes.array(), bytes.position());
      } finally {
        closeIfUnused(open);
      }
    }
  }

  /** Empty if another class loader of this process has it open. */
  private static Optional<OpenFile> open(Path file) throws IOException {
    Folders.createFile(file);
    // The identity comes from the name, not from an open descriptor: see the design note.
    String identity = identity(file);
    OpenFile open = OPEN.get(identity);
    if (open == null) {
      if (System.getProperties().putIfAbsent(PROPERTY + identity, THIS_LOADER) != null) {
        return Optional.empty();
      }
      try {
        boolean writable = FileLook.whyNotWritable(file).isEmpty();
        Set<OpenOption> options =
            new HashSet<>(Set.of(LinkOption.NOFOLLOW_LINKS, StandardOpenOption.READ));
        if (writable) {
          options.add(StandardOpenOption.WRITE);
        }
        open = new OpenFile(identity, FileChannel.open(file, options), writable);
      } finally {
        if (open == null) {
          System.clearProperty(PROPERTY + identity);
        }
      }
      OPEN.put(identity, open);
    }
    return Optional.of(open);
  }

  private static String identity(Path file) throws IOException {
    Object key =
        Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
    return key == null ? file.toRealPath().toString() : key.toString();
  }

  private static void release(FileLock lock) {
    try {
      Uninterrupted.onOpenChannel(() -> {
        lock.release();
        return null;
      });
    } catch (IOException e) {
      // The channel is gone, and the lock with it: that is what was asked for.
      return;
    }
  }

  private static void closeIfUnused(OpenFile open) {
    if (open.keep || !open.held.isEmpty()) {
      return;
    }
    OPEN.remove(open.identity);
    try {
      Uninterrupted.onOpenChannel(() -> {
        open.channel.close();
        return null;
      });
    } catch (IOException e) {
      throw new IllegalStateException("a lock file could not be closed", e);
    } finally {
      System.clearProperty(PROPERTY + open.identity);
    }
  }
}
