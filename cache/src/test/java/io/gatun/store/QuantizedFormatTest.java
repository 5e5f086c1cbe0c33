package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.RowReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Pins how quantised rows lie in a block file: a small conversation of each type, kept as files, has
 * to open in every later version, and the rows of today have to be those bytes. As in {@link
 * FormatTest}, the fixtures are never made anew.
 */
class QuantizedFormatTest {
  private static final Fingerprint MODEL = Fingerprint.of("golden");
  private static final KvShape SHAPE = new KvShape(1, 2, 72, 96);
  private static final long TIME = 1_767_225_600_000L; // 2026-01-01T00:00:00Z
  private static final int OWNER = 0x1f0c2d3e;
  private static final int TOKENS = 3;

  @TempDir Path temp;

  private static KvLayout layout(KvType type) {
    return new KvLayout(SHAPE, type, type, 16);
  }

  /** Sixteenths, larger in every 13th dim: exact, and the same in any language. */
  private static float cell(int token, int head, int dim, int salt) {
    int small = (token * 31 + head * 17 + dim * 7 + salt) % 41 - 20;
    return small / 16f * (dim % 13 == 5 ? 12 : 1);
  }

  private static float[] rows(int dim, int salt) {
    float[] rows = new float[TOKENS * 2 * dim];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = cell(i / dim / 2, i / dim % 2, i % dim, salt);
    }
    return rows;
  }

  private static byte[] block(KvType type) {
    KvLayout layout = layout(type);
    ByteBuffer block =
        ByteBuffer.allocate((int) StoreBlocks.fileBytes(layout)).order(ByteOrder.LITTLE_ENDIAN);
    block.put(0, new BlockHeader(BlockFolder.id(OWNER, 0), layout, MODEL.with(layout)).encode());
    try (KvCache cache = KvCache.builder(SHAPE).type(type).blockTokens(16).build()) {
      cache.append(
          0, MemorySegment.ofArray(rows(72, 3)), MemorySegment.ofArray(rows(96, 11)), TOKENS);
      MemorySegment file = MemorySegment.ofBuffer(block);
      MemorySegment.copy(cache.live().keys(0), 0, file, 4096, layout.keysBytes());
      MemorySegment.copy(
          cache.live().values(0), 0, file, 4096 + layout.keysBytes(), layout.valuesBytes());
    }
    return block.array();
  }

  private static byte[] journal(KvType type) throws IOException {
    KvLayout layout = layout(type);
    CRC32C crc = new CRC32C();
    byte[] block = block(type);
    layout.forEachPiece(
        0,
        TOKENS,
        (inKeys, offset, bytes) ->
            crc.update(
                block, (int) (4096 + (inKeys ? 0 : layout.keysBytes()) + offset), (int) bytes));
    Path folder = Files.createTempDirectory("gatun-format");
    Path file = folder.resolve("journal");
    JournalHeader header = new JournalHeader(1, OWNER, 0, TIME, layout, MODEL.with(layout));
    new JournalImage(header).write(file);
    try (Journal journal =
        Journal.open(
            file, new Health("golden"), JournalHeader.BYTES, JournalHeader.crc(header.encode()))) {
      journal.append(new JournalRecord.Mark(JournalRecord.Mark.OPENED, TIME + 1));
      journal.append(header.ids(0, new int[] {5, 6, 7}, 0, TOKENS));
      JournalRecord.Rows rows = new JournalRecord.Rows();
      rows.time = TIME + 2;
      rows.openTail = true;
      rows.runs.add(
          new JournalRecord.RunChange(
              BlockFolder.id(OWNER, 0),
              TOKENS,
              0,
              new int[] {TOKENS},
              new int[] {(int) crc.getValue()}));
      journal.append(rows);
      journal.append(new JournalRecord.Mark(JournalRecord.Mark.CLOSED, TIME + 3));
      journal.force();
    }
    byte[] bytes = Files.readAllBytes(file);
    Files.delete(file);
    Files.delete(folder);
    return bytes;
  }

  private static byte[] fixture(KvType type, String name) throws IOException {
    String resource = "/store-v1-" + type.label() + "/" + name;
    try (var in = new GZIPInputStream(QuantizedFormatTest.class.getResourceAsStream(resource))) {
      return in.readAllBytes();
    }
  }

  /** Writes the fixtures of a new type: arguments are the folder of the resources and types. */
  public static void main(String[] args) throws IOException {
    for (int i = 1; i < args.length; i++) {
      KvType type = KvType.ofLabel(args[i]);
      Path folder = Files.createDirectories(Path.of(args[0], "store-v1-" + type.label()));
      for (String name : new String[] {"journal.gz", "block.gz"}) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (var out = new GZIPOutputStream(bytes)) {
          out.write(name.startsWith("journal") ? journal(type) : block(type));
        }
        Files.write(folder.resolve(name), bytes.toByteArray());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void todaysBytesAreTheGoldenOnes(KvType type) throws IOException {
    assertThat(HexFormat.of().formatHex(block(type)))
        .isEqualTo(HexFormat.of().formatHex(fixture(type, "block.gz")));
    assertThat(HexFormat.of().formatHex(journal(type)))
        .isEqualTo(HexFormat.of().formatHex(fixture(type, "journal.gz")));
  }

  /** The numbers of FORMAT.md, read from the files by nothing but them. */
  @Test
  void theBytesAreThoseOfTheDocument() throws IOException {
    ByteBuffer q8 = ByteBuffer.wrap(fixture(KvType.Q8_PLAIN, "block.gz"));
    q8.order(ByteOrder.LITTLE_ENDIAN);
    // Keys: 2 runs x 16 tokens x 80 bytes, then 2 runs x 16 tokens x 2 scales.
    int row = 4096 + 1280 + 80;
    int scales = 4096 + 2 * 1280 + 128 + 8;
    for (int dim = 0; dim < 72; dim++) {
      float scale = q8.getFloat(scales + 4 * (dim / 64));
      assertThat(q8.get(row + dim) * scale).isCloseTo(cell(1, 1, dim, 3), within(scale * 0.501f));
    }
    for (int pad = 72; pad < 80; pad++) {
      assertThat(q8.get(row + pad)).isZero();
    }
    ByteBuffer q4 = ByteBuffer.wrap(fixture(KvType.Q4_PLAIN, "block.gz"));
    q4.order(ByteOrder.LITTLE_ENDIAN);
    // Values of 96 dims: a group of 32 bytes and one of 16; keys take one page.
    row = 8192 + 16 * 48 + 2 * 48;
    scales = 8192 + 2 * 16 * 48 + 128 + 2 * 8;
    for (int dim = 0; dim < 96; dim++) {
      float scale = q4.getFloat(scales + 4 * (dim / 64));
      int slot = dim % 64;
      int apart = dim < 64 ? 32 : 16;
      int pair = q4.get(row + dim / 64 * 32 + slot % apart) & 0xff;
      int code = (slot < apart ? pair & 15 : pair >> 4) - 8;
      float limit = Math.abs(scale) * (code == 7 || code == -8 ? 2.01f : 0.501f);
      assertThat(code * scale).isCloseTo(cell(2, 1, dim, 11), within(limit));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void aQuantizedStoreOpens(KvType type) throws IOException {
    Path store = temp.resolve("store");
    ConversationStore.open(store).close();
    Path conversation = store.resolve("conversations/golden");
    Path blocks = store.resolve("blocks/1f0c2d3e");
    for (Path folder : new Path[] {conversation, blocks}) {
      Files.createDirectory(folder);
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    }
    Files.write(conversation.resolve("journal"), fixture(type, "journal.gz"));
    Files.write(blocks.resolve("00000000.kv"), fixture(type, "block.gz"));
    assertThat(ConversationStore.open(store).verify("golden", bytes -> {}).damage()).isEmpty();
    try (Conversation talk =
        ConversationStore.open(store).openOrCreate("golden", MODEL, layout(type))) {
      assertThat(talk.report().findings()).isEmpty();
      assertThat(talk.committedTokens()).isEqualTo(TOKENS);
      float[] key = new float[72];
      RowReader.key(talk.cache().live(), 0, 1, 2, key);
      double error = 0;
      double power = 0;
      for (int dim = 0; dim < 72; dim++) {
        float cell = cell(2, 1, dim, 3);
        error += Math.pow(key[dim] - cell, 2);
        power += Math.pow(cell, 2);
      }
      assertThat(Math.sqrt(error / power)).isLessThan(type.bits() == 8 ? 0.02 : 0.2);
    }
  }

  @Test
  void anUnknownTypeIsRefusedByItsCode() throws IOException {
    byte[] page = java.util.Arrays.copyOf(fixture(KvType.Q8, "block.gz"), 4096);
    assertThat(page[32 + 21]).isEqualTo((byte) 4);
    page[32 + 21] = 99;
    CRC32C crc = new CRC32C();
    crc.update(page, 0, 124);
    ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN).putInt(124, (int) crc.getValue());
    Path file = Path.of("some.kv");
    assertThatThrownBy(() -> BlockHeader.decode(page, file))
        .isInstanceOf(GatunException.class)
        .hasMessage(
            "some.kv: element type code 99 is not one that this version of Gatun knows"
                + " (f32, f16, bf16, q8, q4, q8-plain, q4-plain)");
  }
}
