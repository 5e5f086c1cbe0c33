package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import net.openhft.chronicle.bytes.Bytes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Pins cache/FORMAT.md: a store of format version 1, kept as files, has to open in every later
 * version, and what is written today has to be those bytes.
 *
 * <p>The fixtures were made by {@link #writeFixture}; they are never made anew, but kept beside new
 * ones when the format changes.
 */
class FormatTest {
  private static final String FIXTURE = "/store-v1/";
  private static final Fingerprint MODEL = Fingerprint.of("golden");
  private static final KvLayout LAYOUT =
      new KvLayout(new KvShape(1, 1, 4, 2), KvType.F32, KvType.F32, 16);
  private static final long TIME = 1_767_225_600_000L; // 2026-01-01T00:00:00Z
  private static final int OWNER = 0x1f0c2d3e;

  @TempDir Path temp;

  private static byte[] fixture(String name) throws IOException {
    try (var in = new GZIPInputStream(FormatTest.class.getResourceAsStream(FIXTURE + name))) {
      return in.readAllBytes();
    }
  }

  /** The records of the golden journal, by the code of today. */
  private static byte[] journal() throws IOException {
    Path folder = Files.createTempDirectory("gatun-format");
    Path file = folder.resolve("journal");
    JournalHeader header = header();
    new JournalImage(header).write(file);
    Health health = new Health("golden");
    try (Journal journal =
        Journal.open(file, health, JournalHeader.BYTES, JournalHeader.crc(header.encode()))) {
      records().forEach(journal::append);
      journal.force();
    }
    return Files.readAllBytes(file);
  }

  /** The same, as a conversation begins that is made with all of its records. */
  private static byte[] journalImage() throws IOException {
    Path file = Files.createTempDirectory("gatun-format").resolve("journal");
    JournalImage image = new JournalImage(header());
    records().forEach(image::append);
    image.write(file);
    return Files.readAllBytes(file);
  }

  private static JournalHeader header() {
    return new JournalHeader(OWNER, TIME, LAYOUT, MODEL.with(LAYOUT));
  }

  private static List<JournalRecord> records() {
    JournalRecord.Rows rows = new JournalRecord.Rows();
    rows.time = TIME + 2;
    rows.openTail = true;
    rows.runs.add(
        new JournalRecord.RunChange(
            BlockFolder.id(OWNER, 0), 3, 0, new int[] {3}, new int[] {rowsCrc(3)}));
    return List.of(
        new JournalRecord.Mark(JournalRecord.Mark.OPENED, TIME + 1),
        new JournalRecord.Ids(0, new int[] {0, 1, 127, 128, 300, 50_000}, 0, 6),
        rows,
        new JournalRecord.Ids(5, new int[0], 0, 0),
        new JournalRecord.Mark(JournalRecord.Mark.CLOSED, TIME + 3));
  }

  /** Key of token t: t, t + 0.25, t + 0.5, t + 0.75; value: -t, -t - 0.5. */
  private static ByteBuffer block() {
    ByteBuffer block =
        ByteBuffer.allocate((int) StoreBlocks.fileBytes(LAYOUT)).order(ByteOrder.LITTLE_ENDIAN);
    block.put(0, new BlockHeader(BlockFolder.id(OWNER, 0), LAYOUT, MODEL.with(LAYOUT)).encode());
    for (int t = 0; t < 3; t++) {
      for (int d = 0; d < 4; d++) {
        block.putFloat(4096 + 16 * t + 4 * d, t + d / 4f);
      }
      for (int d = 0; d < 2; d++) {
        block.putFloat(8192 + 8 * t + 4 * d, -t - d / 2f);
      }
    }
    return block;
  }

  private static int rowsCrc(int rows) {
    CRC32C crc = new CRC32C();
    crc.update(block().array(), 4096, 16 * rows);
    crc.update(block().array(), 8192, 8 * rows);
    return (int) crc.getValue();
  }

  /** How the fixtures were made: {@code main} of this class writes them to a folder. */
  static void writeFixture(Path folder) throws IOException {
    Files.createDirectories(folder);
    for (String name : new String[] {"journal.gz", "block.gz"}) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (var out = new GZIPOutputStream(bytes)) {
        out.write(name.startsWith("journal") ? journal() : block().array());
      }
      Files.write(folder.resolve(name), bytes.toByteArray());
    }
  }

  /** Writes the fixtures of a new format version. */
  public static void main(String[] args) throws IOException {
    writeFixture(Path.of(args[0]));
  }

  @Test
  void todaysBytesAreTheGoldenOnes() throws IOException {
    assertThat(HexFormat.of().formatHex(journal()))
        .isEqualTo(HexFormat.of().formatHex(fixture("journal.gz")));
    assertThat(journalImage()).isEqualTo(fixture("journal.gz"));
    assertThat(block().array()).isEqualTo(fixture("block.gz"));
  }

  @Test
  void theBytesAreThoseOfTheDocument() throws IOException {
    byte[] journal = fixture("journal.gz");
    // The example of FORMAT.md, record by record.
    assertThat(HexFormat.of().formatHex(journal, 4096, 4096 + 15)).startsWith("07000000");
    assertThat(journal[4104]).isEqualTo((byte) JournalRecord.Mark.OPENED);
    int ids = 4096 + 8 + 7;
    assertThat(HexFormat.of().formatHex(journal, ids, ids + 4)).isEqualTo("0d000000");
    assertThat(HexFormat.of().formatHex(journal, ids + 8, ids + 21))
        .isEqualTo("01" + "00" + "06" + "00" + "01" + "7f" + "8001" + "ac02" + "d08603");
  }

  @Test
  void aStoreOfVersionOneOpens() throws IOException {
    Path store = temp.resolve("store");
    ConversationStore.open(store);
    Path conversation = store.resolve("conversations/golden");
    Path blocks = store.resolve("blocks/1f0c2d3e");
    Files.createDirectory(conversation);
    Files.createDirectory(blocks);
    for (Path folder : new Path[] {conversation, blocks}) {
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    }
    Files.write(conversation.resolve("journal"), fixture("journal.gz"));
    Files.write(blocks.resolve("00000000.kv"), fixture("block.gz"));
    assertThat(ConversationStore.open(store).verify("golden", bytes -> {}).damage()).isEmpty();
    try (Conversation talk = ConversationStore.open(store).openOrCreate("golden", MODEL, LAYOUT)) {
      assertThat(talk.report().findings()).isEmpty();
      assertThat(talk.report().cleanExit()).isTrue();
      assertThat(talk.tokens().toArray()).isEqualTo(new int[] {0, 1, 127, 128, 300});
      assertThat(talk.committedTokens()).isEqualTo(3);
      MemorySegment keys = talk.cache().live().keys(0);
      MemorySegment values = talk.cache().live().values(0);
      assertThat(keys.get(KvType.LE_FLOAT, 16 * 2 + 4)).isEqualTo(2.25f);
      assertThat(values.get(KvType.LE_FLOAT, 8 * 2 + 4)).isEqualTo(-2.5f);
    }
  }

  @Test
  void newerVersionsAreRefusedByName() throws IOException {
    for (String name : new String[] {"journal.gz", "block.gz"}) {
      byte[] page = Arrays.copyOf(fixture(name), 4096);
      ByteBuffer fields = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
      fields.putInt(8, 2);
      CRC32C crc = new CRC32C();
      crc.update(page, 0, 124);
      fields.putInt(124, (int) crc.getValue());
      Path file = Path.of("some", name);
      assertThatThrownBy(
              () -> {
                if (name.startsWith("journal")) {
                  JournalHeader.decode(page, file);
                } else {
                  BlockHeader.decode(page, file);
                }
              })
          .isInstanceOf(NewerFormatException.class)
          .hasMessageContaining("format version 2")
          .hasMessageContaining("reads up to 1");
    }
  }

  @Test
  void tokenIdsAreTheLibrarysStopBits() {
    int[] ids = new int[4_000];
    for (int i = 0; i < 1_000; i++) {
      ids[i] = i;
      ids[1_000 + i] = (1 << (i % 31)) - 1;
      ids[2_000 + i] = 1 << (i % 31);
      ids[3_000 + i] = (i * 0x9E37_79B9) & Integer.MAX_VALUE;
    }
    byte[] ours = new byte[5 * ids.length];
    int length = StopBits.encode(ids, 0, ids.length, ours);
    Bytes<byte[]> theirs = Bytes.allocateElasticOnHeap();
    for (int id : ids) {
      theirs.writeStopBit(id);
    }
    assertThat(Arrays.copyOf(ours, length)).isEqualTo(theirs.toByteArray());
    assertThat(StopBits.decode(theirs.toByteArray(), ids.length)).isEqualTo(ids);
    theirs.releaseLast();
  }

  @Test
  void headersComeBackAsTheyWere() throws IOException {
    Path file = Path.of("x");
    JournalHeader header = new JournalHeader(OWNER, TIME, LAYOUT, MODEL.with(LAYOUT));
    assertThat(JournalHeader.decode(header.encode(), file)).isEqualTo(header);
    assertThat(JournalHeader.published(header.encode())).isEqualTo(4096);
    BlockHeader block = new BlockHeader(BlockFolder.id(OWNER, 7), LAYOUT, MODEL.with(LAYOUT));
    assertThat(BlockHeader.decode(block.encode(), file)).isEqualTo(block);
    for (int rows : new int[] {0, 1, 1023, 1024}) {
      assertThat(BlockHeader.sharedRows(BlockHeader.sharedWord(rows), 1024)).isEqualTo(rows);
    }
    assertThat(BlockHeader.sharedRows(BlockHeader.sharedWord(5) ^ 1, 1024)).isEqualTo(1024);
  }
}
