package io.gatun.store;

import io.gatun.cache.BlockMemory;
import io.gatun.cache.GatunException;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A journal as it was found on disk: header, state, and where its records end.
 *
 * @param forcedRuns the runs as of the published end, which is known to be on disk
 * @param end where the records that checked end
 * @param crc checksum of the last of them
 * @param dropped bytes behind {@code end} that are not zero, counted to the last of them
 * @param stopped why the record at {@code end} was not taken, or null
 * @param forked whether other conversations may name its blocks
 * @param home identity of the file as which it was written, 0 for unknown
 */
record JournalFile(
    Path file,
    JournalHeader header,
    JournalState state,
    List<RunState> forcedRuns,
    long end,
    int crc,
    long dropped,
    String stopped,
    boolean forked,
    long home) {

  /**
   * Reads a whole journal, up to the first record that does not check.
   *
   * @throws GatunException if the header cannot be used
   */
  static JournalFile read(Path file) throws IOException {
    return read(file, true);
  }

  /** As {@link #read}, but token ids are only counted. */
  static JournalFile readCounting(Path file) throws IOException {
    return read(file, false);
  }

  private static JournalFile read(Path file, boolean keepIds) throws IOException {
    try (RandomAccessFile journal = FileLook.open(file)) {
      byte[] page = page(journal, file);
      JournalHeader header = JournalHeader.decode(page, file);
      JournalState state = new JournalState(header.owner(), header.layout().blockTokens(), keepIds);
      JournalScan scan =
          new JournalScan(
              journal, JournalHeader.BYTES, JournalHeader.crc(page), JournalHeader.published(page));
      scan.applyTo(state);
      List<RunState> forcedRuns = state.runs();
      scan.goOn();
      scan.applyTo(state);
      long dropped = lastNonZero(file, journal, scan.end()) - scan.end();
      return new JournalFile(
          file,
          header,
          state,
          forcedRuns,
          scan.end(),
          scan.crc(),
          dropped,
          scan.stopped(),
          !header.hasStamps() || JournalHeader.word(page, JournalHeader.FORKED) != 0,
          header.hasStamps() ? JournalHeader.word(page, JournalHeader.HOME) : FileStamp.UNKNOWN);
    }
  }

  /**
   * The blocks that the records of a journal name whose header is damaged.
   *
   * @return empty if its records do not check either, or there are none to tell
   */
  static Optional<Set<Long>> blocksDespiteHeader(Path file) throws IOException {
    try (RandomAccessFile journal = FileLook.open(file)) {
      byte[] page = page(journal, file);
      for (int seed : new int[] {JournalHeader.storedCrc(page), JournalHeader.crc(page)}) {
        JournalState state = new JournalState(BlockFolder.NOBODY, Integer.MAX_VALUE, false);
        JournalScan scan = new JournalScan(journal, JournalHeader.BYTES, seed, journal.length());
        scan.applyTo(state);
        boolean whole =
            scan.stopped() == null && lastNonZero(file, journal, scan.end()) == scan.end();
        if (whole && scan.end() > JournalHeader.BYTES) {
          return Optional.of(state.foreignBlocks());
        }
      }
      return Optional.empty();
    }
  }

  /**
   * Notes, durably, that others may name blocks of this conversation from now on. Store's lock held.
   */
  void markForked() throws IOException {
    if (!header.hasStamps()) {
      return;
    }
    FileLook.requireFile(file);
    try (RandomAccessFile journal = new RandomAccessFile(file.toFile(), "rw")) {
      byte[] page = page(journal, file);
      if (JournalHeader.word(page, JournalHeader.FORKED) == 0) {
        journal.seek(JournalHeader.FORKED);
        journal.write(1);
        journal.getFD().sync();
      }
    }
  }

  /** The header alone. */
  static JournalHeader header(Path file) throws IOException {
    try (RandomAccessFile journal = FileLook.open(file)) {
      return JournalHeader.decode(page(journal, file), file);
    }
  }

  /** The owner number, or {@link BlockFolder#NOBODY} if the header cannot be used. */
  static int ownerIfReadable(Path file) throws IOException {
    try {
      return header(file).owner();
    } catch (DamageException | NewerFormatException e) {
      return BlockFolder.NOBODY;
    }
  }

  /** The header page. */
  static byte[] page(RandomAccessFile journal, Path file) throws IOException {
    byte[] page = new byte[JournalHeader.BYTES];
    try {
      journal.seek(0);
      journal.readFully(page);
    } catch (EOFException e) {
      throw new DamageException(
          "%s has %,d bytes: its header is cut off".formatted(file, journal.length()), e);
    }
    return page;
  }

  private static final int CHUNK = 1 << 16;
  private static final byte[] ZEROS = new byte[CHUNK];

  /** Where the last byte that is not zero ends, from a position on; the position if all are zero. */
  static long lastNonZero(Path file, RandomAccessFile journal, long from) throws IOException {
    byte[] chunk = new byte[CHUNK];
    long length = journal.length();
    long last = from;
    for (long at = from; at < length; ) {
      int bytes = (int) Math.min(length - at, CHUNK);
      journal.seek(at);
      journal.readFully(chunk, 0, bytes);
      if (!Arrays.equals(chunk, 0, bytes, ZEROS, 0, bytes)) {
        int i = bytes - 1;
        while (chunk[i] == 0) {
          i--;
        }
        last = at + i + 1;
      }
      at += bytes;
      if (at < length) {
        // What was never written, of any size, is not read.
        long data = BlockMemory.nextData(file, at);
        at = data < 0 ? length : Math.max(at, data);
      }
    }
    return last;
  }

  /**
   * Clears what stands behind the records that checked, so that no later reader can stumble over
   * it; a copy goes to the file {@code journal.dropped}. Can be repeated at any point.
   */
  void clearTail() throws IOException {
    long length = Files.size(file);
    if (dropped == 0 && length >= Journal.SMALLEST) {
      return;
    }
    try (RandomAccessFile journal = new RandomAccessFile(file.toFile(), "rw")) {
      if (dropped > 0) {
        keepDropped(journal);
        byte[] zeros = new byte[1 << 16];
        for (long at = end; at < end + dropped; at += zeros.length) {
          journal.seek(at);
          journal.write(zeros, 0, (int) Math.min(zeros.length, end + dropped - at));
        }
        journal.getFD().sync();
      }
    }
    if (length < Journal.SMALLEST) {
      Uninterrupted.call(() -> {
        BlockMemory.extendPreallocated(file, Journal.SMALLEST);
        return null;
      });
    }
  }

  private void keepDropped(RandomAccessFile journal) throws IOException {
    Path copy = file.resolveSibling("journal.dropped");
    Path unfinished = file.resolveSibling("journal.dropped.new");
    Files.deleteIfExists(unfinished);
    Folders.createFile(unfinished);
    try (RandomAccessFile out = new RandomAccessFile(unfinished.toFile(), "rw")) {
      byte[] chunk = new byte[1 << 16];
      for (long at = end; at < end + dropped; at += chunk.length) {
        int bytes = (int) Math.min(chunk.length, end + dropped - at);
        journal.seek(at);
        journal.readFully(chunk, 0, bytes);
        out.write(chunk, 0, bytes);
      }
      out.getFD().sync();
    }
    Files.move(
        unfinished, copy, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
