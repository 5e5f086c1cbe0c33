package io.gatun.store;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Fault 10: the published end of a journal is written behind the records, through the writer's map;
 * a reader that goes by it, with plain reads of the file, finds whole records only.
 */
@JCStressTest
@Outcome(id = "0, 3", expect = Expect.ACCEPTABLE, desc = "before the first force")
@Outcome(id = "1, 3", expect = Expect.ACCEPTABLE, desc = "the first record, whole")
@Outcome(id = "3, 3", expect = Expect.ACCEPTABLE, desc = "both, whole")
@Outcome(expect = Expect.FORBIDDEN, desc = "an end without its records")
@State
public class PublishedEndStress {
  private static final KvLayout LAYOUT =
      new KvLayout(new KvShape(1, 1, 8, 8), KvType.F32, KvType.F32, 16);
  private static final JournalHeader HEADER =
      new JournalHeader(1, 1, LAYOUT, Fingerprint.of("stress").with(LAYOUT));

  private final Path file;
  private final Journal journal;

  /** A journal in memory, if the system has a file system there. */
  public PublishedEndStress() {
    try {
      Path memory = Path.of("/dev/shm");
      Path folder =
          Files.isWritable(memory)
              ? Files.createTempDirectory(memory, "gatun-stress-")
              : Files.createTempDirectory("gatun-stress-");
      file = folder.resolve("journal");
      new JournalImage(HEADER).write(file);
      journal =
          Journal.open(
              file, new Health("a journal"), JournalHeader.BYTES, JournalHeader.crc(HEADER.encode()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Two records, each forced, and so published. */
  @Actor
  public void writer() {
    journal.append(HEADER.ids(0, new int[] {7}, 0, 1));
    journal.force();
    journal.append(HEADER.ids(1, new int[] {8, 9}, 0, 2));
    journal.force();
  }

  /** Token ids up to the published end; -1 if that is not the end of a record. */
  @Actor
  public void reader(II_Result result) {
    try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
      byte[] page = JournalFile.page(in, file);
      long end = JournalHeader.published(page);
      JournalState state = new JournalState(BlockFolder.NOBODY, LAYOUT.blockTokens());
      JournalScan scan =
          new JournalScan(in, JournalHeader.BYTES, JournalHeader.crc(page), end);
      scan.applyTo(state);
      result.r1 = scan.end() == end ? state.tokens().count() : -1;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What is there in the end. */
  @Arbiter
  public void end(II_Result result) {
    journal.close();
    try {
      result.r2 = JournalFile.read(file).state().tokens().count();
      Files.delete(file);
      Files.delete(file.getParent());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
