package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import net.openhft.chronicle.bytes.Bytes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Pins cache/FORMAT.md: a store of each format version, kept as files, has to open in every later
 * version, and what is written today in that version has to be those bytes.
 *
 * <p>The fixtures were made by {@link #writeFixture}; they are never made anew, but kept beside new
 * ones when the format changes.
 */
class FormatTest {
  private static final Fingerprint MODEL = Fingerprint.of("golden");
  private static final KvLayout LAYOUT =
      new KvLayout(new KvShape(1, 1, 4, 2), KvType.F32, KvType.F32, 16);
  private static final long TIME = 1_767_225_600_000L; // 2026-01-01T00:00:00Z
  private static final int OWNER = 0x1f0c2d3e;

  @TempDir Path temp;

  /** Block files are of version 1 in all of them. */
  private static byte[] fixture(int version, String name) throws IOException {
    String resource = "/store-v%d/%s".formatted(version, name);
    try (var in = new GZIPInputStream(FormatTest.class.getResourceAsStream(resource))) {
      return in.readAllBytes();
    }
  }

  /** The records of the golden journal, by the code of today. */
  private static byte[] journal(int version) throws IOException {
    Path folder = Files.createTempDirectory("gatun-format");
    Path file = folder.resolve("journal");
    JournalHeader header = header(version);
    new JournalImage(header).write(file);
    Health health = new Health("golden");
    try (Journal journal =
        Journal.open(file, health, JournalHeader.BYTES, JournalHeader.crc(header.encode()))) {
      records(version).forEach(journal::append);
      journal.force();
    }
    return atNoPlace(version, Files.readAllBytes(file));
  }

  /** The same, as a conversation begins that is made with all of its records. */
  private static byte[] journalImage(int version) throws IOException {
    Path file = Files.createTempDirectory("gatun-format").resolve("journal");
    JournalImage image = new JournalImage(header(version));
    records(version).forEach(image::append);
    image.write(file);
    return atNoPlace(version, Files.readAllBytes(file));
  }

  /** A journal without the inode of the file that it was just written to. */
  private static byte[] atNoPlace(int version, byte[] journal) {
    if (version >= 3) {
      assertThat(JournalHeader.word(journal, JournalHeader.HOME)).isNotZero();
      JournalHeader.word(journal, JournalHeader.HOME, 0);
    }
    return journal;
  }

  private static JournalHeader header(int version) {
    return new JournalHeader(version, OWNER, 0, TIME, LAYOUT, MODEL.with(LAYOUT));
  }

  private static List<JournalRecord> records(int version) {
    JournalHeader header = header(version);
    JournalRecord.Rows rows = new JournalRecord.Rows();
    rows.time = TIME + 2;
    rows.openTail = true;
    rows.runs.add(
        new JournalRecord.RunChange(
            BlockFolder.id(OWNER, 0), 3, 0, new int[] {3}, new int[] {rowsCrc(3)}));
    List<JournalRecord> records = new ArrayList<>();
    records.add(new JournalRecord.Mark(JournalRecord.Mark.OPENED, TIME + 1));
    records.add(header.ids(0, new int[] {0, 1, 127, 128, 300, 50_000}, 0, 6));
    records.add(rows);
    records.add(header.ids(5, new int[0], 0, 0));
    if (header.hasStamps()) {
      records.add(new JournalRecord.NextNumber(200));
      long block = BlockFolder.id(OWNER, 0);
      records.add(new JournalRecord.Stamps(Map.of(block, 0x0123_4567_89ab_cdefL)));
    }
    records.add(new JournalRecord.Mark(JournalRecord.Mark.CLOSED, TIME + 3));
    return records;
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
  static void writeFixture(int version, Path folder) throws IOException {
    Files.createDirectories(folder);
    for (String name : new String[] {"journal.gz", "block.gz"}) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (var out = new GZIPOutputStream(bytes)) {
        out.write(name.startsWith("journal") ? journal(version) : block().array());
      }
      Files.write(folder.resolve(name), bytes.toByteArray());
    }
  }

  /** Writes the fixtures of a new format version: its number, and a folder. */
  public static void main(String[] args) throws IOException {
    writeFixture(Integer.parseInt(args[0]), Path.of(args[1]));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void todaysBytesAreTheGoldenOnes(int version) throws IOException {
    assertThat(HexFormat.of().formatHex(journal(version)))
        .isEqualTo(HexFormat.of().formatHex(fixture(version, "journal.gz")));
    assertThat(journalImage(version)).isEqualTo(fixture(version, "journal.gz"));
    assertThat(block().array()).isEqualTo(fixture(version, "block.gz"));
  }

  @Test
  void theBytesAreThoseOfTheDocument() throws IOException {
    byte[] journal = fixture(1, "journal.gz");
    // The example of FORMAT.md, record by record.
    assertThat(HexFormat.of().formatHex(journal, 4096, 4096 + 15)).startsWith("07000000");
    assertThat(journal[4104]).isEqualTo((byte) JournalRecord.Mark.OPENED);
    int ids = 4096 + 8 + 7;
    assertThat(HexFormat.of().formatHex(journal, ids, ids + 4)).isEqualTo("0d000000");
    assertThat(HexFormat.of().formatHex(journal, ids + 8, ids + 21))
        .isEqualTo("01" + "00" + "06" + "00" + "01" + "7f" + "8001" + "ac02" + "d08603");
    byte[] second = fixture(2, "journal.gz");
    assertThat(HexFormat.of().formatHex(second, ids, ids + 4)).isEqualTo("1b000000");
    assertThat(HexFormat.of().formatHex(second, ids + 8, ids + 35))
        .isEqualTo(
            "050006" + "00000000" + "01000000" + "7f000000" + "80000000" + "2c010000" + "50c30000");
  }

  /** A store that holds the golden conversation of a version. */
  private Path golden(int version) throws IOException {
    Path store = temp.resolve("store");
    ConversationStore.open(store);
    Path conversation = store.resolve("conversations/golden");
    Path blocks = store.resolve("blocks/1f0c2d3e");
    Files.createDirectory(conversation);
    Files.createDirectory(blocks);
    for (Path folder : new Path[] {conversation, blocks}) {
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    }
    Files.write(conversation.resolve("journal"), fixture(version, "journal.gz"));
    Files.write(blocks.resolve("00000000.kv"), fixture(version, "block.gz"));
    return store;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void aStoreOfEachVersionOpens(int version) throws IOException {
    Path store = golden(version);
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

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void aJournalIsOfTodaysVersionAfterACleanExit(int version) throws IOException {
    Path store = golden(version);
    ConversationStore conversations = ConversationStore.open(store);
    try (Conversation talk = conversations.openOrCreate("golden", MODEL, LAYOUT)) {
      talk.accept(new int[] {7, 70_000}, 0, 2);
      talk.truncate(6);
    }
    conversations.fork("golden", "fork");
    for (String id : new String[] {"golden", "fork"}) {
      Path file = store.resolve("conversations").resolve(id).resolve("journal");
      int expected = JournalHeader.VERSION;
      assertThat(JournalFile.header(file).version()).isEqualTo(expected);
      byte[] journal = Files.readAllBytes(file);
      ByteBuffer fields = ByteBuffer.wrap(journal).order(ByteOrder.LITTLE_ENDIAN);
      int others = 0;
      for (int at = JournalHeader.BYTES; fields.getInt(at) != 0; at += 8 + fields.getInt(at)) {
        int stranger = JournalRecord.Ids.STOP_BIT;
        others += journal[at + 8] == stranger ? 1 : 0;
      }
      assertThat(others).as("records of the other form").isZero();
      try (Conversation talk = conversations.openOrCreate(id, MODEL, LAYOUT)) {
        assertThat(talk.tokens().toArray()).isEqualTo(new int[] {0, 1, 127, 128, 300, 7});
        assertThat(talk.committedTokens()).isEqualTo(3);
      }
    }
  }

  @Test
  void newerVersionsAreRefusedByName() throws IOException {
    for (String name : new String[] {"journal.gz", "block.gz"}) {
      int newest = name.startsWith("journal") ? JournalHeader.VERSION : BlockHeader.VERSION;
      byte[] page = Arrays.copyOf(fixture(1, name), 4096);
      ByteBuffer fields = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
      fields.putInt(8, newest + 1);
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
          .hasMessageContaining("format version " + (newest + 1))
          .hasMessageContaining("reads up to " + newest);
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

  private static PayloadReader reader(byte[] payload) {
    PayloadReader reader = new PayloadReader();
    reader.take(payload, 0, payload.length);
    return reader;
  }

  @Test
  void numbersAreTheLibrarysStopBits() {
    Bytes<byte[]> bytes = Bytes.allocateElasticOnHeap();
    long[] values = new long[127];
    for (int i = 0; i < values.length; i++) {
      values[i] = i < 64 ? Long.MAX_VALUE >>> i : (1L << (i - 64));
      bytes.writeStopBit(values[i]);
    }
    bytes.writeInt(-559038737);
    bytes.writeLong(-81985529216486896L);
    byte[] payload = bytes.toByteArray();
    bytes.releaseLast();
    PayloadReader reader = reader(payload);
    for (long value : values) {
      assertThat(reader.readStopBit()).isEqualTo(value);
    }
    assertThat(reader.readInt()).isEqualTo(-559038737);
    assertThat(reader.readLong()).isEqualTo(-81985529216486896L);
    assertThat(reader.remaining()).isZero();
    assertThatThrownBy(reader::readStopBit).hasMessageContaining("in the middle of a number");
    byte[] endless = new byte[20];
    Arrays.fill(endless, (byte) -1);
    assertThatThrownBy(reader(endless)::readStopBit).hasMessageContaining("does not end");
  }

  @Test
  void plainTokenIdsAreRefusedUnlessTheyFit() {
    int[] ids = {0, 1, Integer.MAX_VALUE};
    Bytes<byte[]> bytes = Bytes.allocateElasticOnHeap();
    new JournalRecord.Ids(JournalRecord.Ids.PLAIN, 9, ids, 1, 2).write(bytes);
    byte[] sound = bytes.toByteArray();
    bytes.releaseLast();
    JournalRecord.Ids back = new JournalRecord.Ids(JournalRecord.Ids.PLAIN);
    back.read(reader(sound), 0, 64);
    assertThat(back.from).isEqualTo(9);
    assertThat(back.ids).isEqualTo(new int[] {1, Integer.MAX_VALUE});
    byte[] negative = sound.clone();
    negative[5] = (byte) 0x80;
    for (byte[] bad :
        new byte[][] {
          negative, Arrays.copyOf(sound, sound.length - 1), Arrays.copyOf(sound, sound.length + 4)
        }) {
      assertThatThrownBy(
              () -> new JournalRecord.Ids(JournalRecord.Ids.PLAIN).read(reader(bad), 0, 64))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("token ids");
    }
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
