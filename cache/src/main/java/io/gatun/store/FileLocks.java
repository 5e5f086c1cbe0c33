package io.gatun.store;

import io.gatun.cache.Posix;
import io.gatun.cache.PosixFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A way to lock single bytes of files, between threads, class loaders and processes. No call waits.
 * Any thread.
 */
interface FileLocks {
  /** A byte of a file that is locked until this is closed, once. */
  interface Locked extends AutoCloseable {
    /** Writes into the file. */
    void write(byte[] bytes, long at) throws IOException;

    @Override
    void close();
  }

  /**
   * Locks a byte of a file, and makes the file if there is none.
   *
   * @return empty if somebody holds the byte in a way that excludes this
   */
  Optional<Locked> tryLock(Path file, long at, boolean shared) throws IOException;

  /** Whether somebody holds a byte, here or elsewhere. Nobody does if there is no file. */
  boolean locked(Path file, long at) throws IOException;

  /** The process that holds a byte, as far as the system tells. */
  OptionalLong process(Path file, long at) throws IOException;

  /** Bytes of a lock file; as many as there are, none if they cannot be read just now. */
  byte[] read(Path file, long at, int length) throws IOException;

  /** The best that there is here, found out with the locks of an existing file. */
  static FileLocks bestFor(Path file) throws IOException {
    if (!Posix.AVAILABLE) {
      return new ChannelLocks();
    }
    try (PosixFile probe = PosixFile.open(file, false)) {
      probe.locked(0);
      return new OpenFileLocks();
    } catch (UnsupportedOperationException e) {
      return new ChannelLocks();
    }
  }
}
