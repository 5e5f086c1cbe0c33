package io.gatun.store;

/** Told how far a backup has come, after each block. */
@FunctionalInterface
public interface BackupProgress {
  /** Tells nobody. */
  BackupProgress NONE = (conversation, done, total) -> {};

  /**
   * A block is in the backup and was compared with its checksums.
   *
   * @param conversation whose block it is
   * @param done bytes of blocks until now; one that two conversations share counts twice
   * @param total bytes in all, as far as is known: conversations go on meanwhile
   */
  void at(String conversation, long done, long total);
}
