package io.gatun.store;

import io.gatun.cache.PosixFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Locks that belong to open files, on Linux. Each lock has an open file of its own, so nothing is
 * shared: the kernel keeps the table, for all class loaders and processes. Asking takes no lock, so
 * nobody is refused because somebody else asked.
 *
 * <p>Design note: closing a file would drop locks of the older kind that other code of this process
 * has on it, such as an older Gatun in another class loader. A file on which there are any is kept
 * open until they are gone.
 */
final class OpenFileLocks implements FileLocks {
  private static final Queue<OpenFile> KEPT = new ConcurrentLinkedQueue<>();

  @Override
  public Optional<Locked> tryLock(Path file, long at, boolean shared) throws IOException {
    Folders.createFile(file);
    // A shared lock needs no more than reading.
    OpenFile open = new OpenFile(PosixFile.open(file, !shared));
    boolean locked = false;
    try {
      locked = open.file.tryLock(at, shared);
      return locked ? Optional.of(new Held(open.file, at)) : Optional.empty();
    } finally {
      if (!locked) {
        open.close();
      }
    }
  }

  /** An open file that is closed when that harms nobody. */
  private record OpenFile(PosixFile file) implements AutoCloseable {
    @Override
    public void close() {
      closeKept();
      if (harms()) {
        KEPT.add(this);
      } else {
        file.close();
      }
    }

    private boolean harms() {
      try {
        long me = ProcessHandle.current().pid();
        return file.locked(0).pid() == me || file.locked(1).pid() == me;
      } catch (IOException e) {
        // Nobody can say; a descriptor that is never closed would be the other mistake.
        return false;
      }
    }

    private static void closeKept() {
      for (OpenFile kept; (kept = KEPT.peek()) != null && !kept.harms(); ) {
        if (KEPT.remove(kept)) {
          kept.file.close();
        }
      }
    }
  }

  private static final class Held implements Locked {
    private final PosixFile file;
    private final long at;
    private final AtomicBoolean closed = new AtomicBoolean();

    Held(PosixFile file, long at) {
      this.file = file;
      this.at = at;
    }

    @Override
    public void write(byte[] bytes, long at) throws IOException {
      file.write(bytes, at);
    }

    @Override
    public void close() {
      if (!closed.compareAndSet(false, true)) {
        return;
      }
      try (OpenFile _ = new OpenFile(file)) {
        // Closing is not enough: a child that is just being started has the descriptor as well.
        file.unlock(at);
      } catch (IOException e) {
        throw new IllegalStateException("a lock could not be released", e);
      }
    }
  }

  private static Optional<OpenFile> ifThere(Path file) throws IOException {
    if (Files.notExists(file, LinkOption.NOFOLLOW_LINKS)) {
      return Optional.empty();
    }
    FileLook.requireFile(file);
    try {
      return Optional.of(new OpenFile(PosixFile.open(file, false)));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  @Override
  public boolean locked(Path file, long at) throws IOException {
    Optional<OpenFile> there = ifThere(file);
    if (there.isEmpty()) {
      return false;
    }
    try (OpenFile open = there.get()) {
      return open.file.locked(at).holder() != PosixFile.Holder.NONE;
    }
  }

  @Override
  public OptionalLong process(Path file, long at) throws IOException {
    Optional<OpenFile> there = ifThere(file);
    if (there.isEmpty()) {
      return OptionalLong.empty();
    }
    try (OpenFile open = there.get()) {
      PosixFile.Lock lock = open.file.locked(at);
      return lock.pid() > 0 ? OptionalLong.of(lock.pid()) : OptionalLong.empty();
    }
  }

  @Override
  public byte[] read(Path file, long at, int length) throws IOException {
    Optional<OpenFile> there = ifThere(file);
    if (there.isEmpty()) {
      return new byte[0];
    }
    try (OpenFile open = there.get()) {
      byte[] bytes = new byte[length];
      return Arrays.copyOf(bytes, open.file.read(bytes, at));
    }
  }
}
