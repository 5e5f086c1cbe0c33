package io.gatun.store;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes a journal anew with what it adds up to, and puts it in the place of the old one: token ids
 * that were cut off and records that later ones replaced are gone then. A crash leaves the old one or
 * the new one, whole. Writer's lock held.
 */
final class JournalCompaction {
  /** A journal is not rewritten for less than this many dead bytes. */
  static final long WORTHWHILE = 16 << 10;

  private static final String UNFINISHED = "journal.new";
  private static final int IDS = JournalRecord.Ids.MOST;

  private JournalCompaction() {}

  /** Bytes that the records of a state take in a journal that is written anew, about. */
  static long liveBytes(JournalState state) {
    long bytes = JournalHeader.BYTES + Integer.BYTES * (long) state.tokens().count() + 64;
    for (RunState run : state.runs()) {
      bytes += 28 + 7L * run.ends().length;
    }
    return bytes;
  }

  /**
   * Writes the journal anew.
   *
   * @param forked whether others may name blocks of this conversation
   * @param erase overwrites the old one
   */
  static void run(
      ConversationFiles files,
      JournalHeader header,
      JournalState state,
      boolean forked,
      boolean erase)
      throws IOException {
    JournalRecord.Mark mark =
        new JournalRecord.Mark(
            state.closed() ? JournalRecord.Mark.CLOSED : JournalRecord.Mark.OPENED, state.time());
    JournalImage image = image(header.today(), state, state.stampsOfRuns(), mark, forked);
    Path unfinished = files.folder().resolve(UNFINISHED);
    Files.deleteIfExists(unfinished);
    image.write(unfinished);
    FileLook.requireFile(files.journal());
    try (RandomAccessFile old =
        new RandomAccessFile(files.journal().toFile(), erase ? "rw" : "r")) {
      Files.move(
          unfinished,
          files.journal(),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
      Folders.force(files.folder());
      if (erase) {
        Erasure.overwrite(old);
        Path dropped = files.folder().resolve("journal.dropped");
        Erasure.overwrite(dropped);
        Files.deleteIfExists(dropped);
      }
    }
  }

  /**
   * A journal that holds what a state is, and no more.
   *
   * @param stamps of the blocks whose rows are known to be right
   * @param mark the last record
   * @param forked whether others may name blocks of this conversation
   */
  static JournalImage image(
      JournalHeader header,
      JournalState state,
      Map<Long, Long> stamps,
      JournalRecord.Mark mark,
      boolean forked) {
    JournalImage image = new JournalImage(header, (int) Math.min(1 << 28, liveBytes(state)));
    image.forked(forked);
    int count = state.tokens().count();
    int[] ids = new int[Math.min(count, IDS)];
    for (int done = 0; done < count; done += ids.length) {
      int some = Math.min(ids.length, count - done);
      state.tokens().copy(done, ids, 0, some);
      image.append(header.ids(done, ids, 0, some));
    }
    image.append(new JournalRecord.NextNumber(state.nextNumber()));
    if (!state.runs().isEmpty()) {
      JournalState empty = new JournalState(BlockFolder.NOBODY, state.blockTokens());
      image.append(empty.change(state.runs(), state.openTail(), state.time()));
    }
    records(stamps).forEach(image::append);
    image.append(mark);
    return image;
  }

  /** Stamps, in records that are not too large. */
  static List<JournalRecord.Stamps> records(Map<Long, Long> stamps) {
    List<JournalRecord.Stamps> records = new ArrayList<>();
    JournalRecord.Stamps last = null;
    for (Map.Entry<Long, Long> stamp : stamps.entrySet()) {
      if (last == null || last.stamps.size() == JournalRecord.Stamps.MOST) {
        last = new JournalRecord.Stamps();
        records.add(last);
      }
      last.stamps.put(stamp.getKey(), stamp.getValue());
    }
    return records;
  }
}
