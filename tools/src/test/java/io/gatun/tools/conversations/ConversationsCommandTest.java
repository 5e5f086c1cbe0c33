package io.gatun.tools.conversations;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.RowReader;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Fingerprint;
import io.gatun.tools.cli.Failures;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class ConversationsCommandTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");

  @TempDir Path temp;
  private StringWriter out;
  private StringWriter err;

  private int run(String... arguments) {
    out = new StringWriter();
    err = new StringWriter();
    List<String> all = new ArrayList<>(List.of(arguments));
    Collections.addAll(all, "--store", temp.resolve("store").toString());
    return Failures.install(new CommandLine(new ConversationsCommand()))
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(all.toArray(String[]::new));
  }

  private JsonNode json(String... arguments) throws IOException {
    String[] all = java.util.Arrays.copyOf(arguments, arguments.length + 1);
    all[arguments.length] = "--json";
    assertThat(run(all)).as(err.toString()).isZero();
    return new JsonMapper().readTree(out.toString());
  }

  private ConversationStore store() {
    return ConversationStore.open(temp.resolve("store"));
  }

  private static KvLayout layout(KvType type) {
    return new KvLayout(new KvShape(2, 3, 5, 4), type, type, 32);
  }

  private void make(String id, KvType type, int tokens, int rows, long seed) {
    Random random = new Random(seed);
    try (Conversation talk = store().openOrCreate(id, MODEL, layout(type))) {
      talk.accept(random.ints(tokens, 0, 1000).toArray(), 0, tokens);
      for (int layer = 0; layer < 2; layer++) {
        talk.cache().append(layer, floats(random, rows * 15), floats(random, rows * 12), rows);
      }
      talk.cache().advance(rows);
    }
  }

  private static MemorySegment floats(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return MemorySegment.ofArray(values);
  }

  @Test
  void listShowsEveryConversation() throws IOException {
    make("one", KvType.F32, 100, 90, 1);
    make("two", KvType.BF16, 50, 50, 2);
    JsonNode list = json("list");
    assertThat(list.isArray()).isTrue();
    assertThat(list).hasSize(2);
    JsonNode one = list.get(0);
    assertThat(one.get("id").asText()).isEqualTo("one");
    assertThat(one.get("tokens").asInt()).isEqualTo(100);
    assertThat(one.get("committedTokens").asInt()).isEqualTo(90);
    assertThat(one.get("bytes").asLong()).isPositive();
    assertThat(one.get("kvType").asText()).isEqualTo("f32");
    assertThat(one.get("fingerprint").asText()).isEqualTo(MODEL.with(layout(KvType.F32)).hex());
    assertThat(json("list", "two")).hasSize(1);
    assertThat(run("list")).isZero();
    assertThat(out.toString().lines()).allMatch(line -> line.length() <= 80);
    assertThat(out.toString()).contains("2 conversations").contains("bf16");
  }

  @Test
  void longNamesDoNotBreakTheTable() {
    make("n".repeat(64), KvType.F16, 10, 10, 1);
    assertThat(run("list")).isZero();
    assertThat(out.toString().lines()).allMatch(line -> line.length() <= 80);
  }

  @ParameterizedTest
  @ValueSource(ints = {20, 30, 40, 50, 60, 70, 80, 120})
  void theTableFitsTheTerminal(int width) {
    make("n".repeat(64), KvType.Q8_PLAIN, 1_234_567, 10, 1);
    make("short", KvType.F16, 10, 10, 2);
    StringWriter table = new StringWriter();
    ConversationTable.print(store().list(), new PrintWriter(table, true), width);
    assertThat(table.toString().lines()).allMatch(line -> line.length() <= width);
    assertThat(table.toString()).contains("TOKENS").contains("1,234,567").contains("short");
    assertThat(table.toString().contains("q8-plain")).isEqualTo(width >= 60);
  }

  @Test
  void forkTruncateRenamePinDelete() throws IOException {
    make("one", KvType.F32, 100, 90, 1);
    assertThat(json("fork", "one", "two", "--at", "40").get("tokens").asInt()).isEqualTo(40);
    assertThat(json("fork", "one", "three").get("tokens").asInt()).isEqualTo(100);
    assertThat(json("truncate", "three", "20").get("committedTokens").asInt()).isEqualTo(20);
    assertThat(json("rename", "three", "four").get("id").asText()).isEqualTo("four");
    assertThat(json("pin", "one").get("pinned").asBoolean()).isTrue();
    assertThat(json("evict", "--to", "10MiB", "--dry-run").get("evicted")).isEmpty();
    for (String how : new String[] {"--json", "--dry-run"}) {
      assertThat(run("evict", "--to", "0", how)).isEqualTo(1);
      assertThat(err.toString())
          .contains("Nothing was evicted")
          .contains("1 pinned")
          .hasLineCount(1);
      assertThat(store().ids()).containsExactly("four", "one", "two");
    }
    long left = store().info("one").bytes();
    assertThat(json("evict", "--to", "" + left, "--dry-run").get("evicted")).hasSize(2);
    assertThat(run("evict", "--to", "" + left, "--dry-run")).isZero();
    assertThat(out.toString()).contains("would evict four").contains("before,");
    assertThat(json("evict", "--to", "" + left).get("bytesAfter").asLong()).isEqualTo(left);
    assertThat(store().ids()).containsExactly("one");
    assertThat(json("pin", "one", "--off").get("pinned").asBoolean()).isFalse();
    assertThat(run("delete", "one")).isEqualTo(1);
    assertThat(err.toString()).contains("say --yes");
    assertThat(json("delete", "one", "--yes").get("freedBytes").asLong()).isPositive();
    assertThat(store().ids()).isEmpty();
  }

  @Test
  void mistakesGetOneSentence() {
    make("one", KvType.F32, 10, 10, 1);
    assertThat(run("show", "none")).isEqualTo(1);
    assertThat(err.toString()).startsWith("gatun: there is no conversation 'none'").hasLineCount(1);
    assertThat(run("fork", "one", "two", "--at", "11")).isEqualTo(1);
    assertThat(err.toString()).contains("it has 10");
    assertThat(run("truncate", "one", "11")).isEqualTo(1);
    assertThat(run("truncate", "one", "x")).isEqualTo(2);
    assertThat(run()).isEqualTo(2);
    assertThat(run("fork", "one", "../x")).isEqualTo(1);
    assertThat(err.toString()).contains("cannot name a conversation");
  }

  @Test
  void gcGoesOnAroundWhatIsDamagedAndNamesIt() throws IOException {
    make("one", KvType.F32, 100, 90, 1);
    make("two", KvType.F32, 100, 90, 2);
    Path conversations = temp.resolve("store/conversations");
    Files.createDirectory(conversations.resolve(".new-unfinished"));
    Files.writeString(conversations.resolve("notes"), "a stray file");
    try (RandomAccessFile bytes =
        new RandomAccessFile(conversations.resolve("two/journal").toFile(), "rw")) {
      bytes.write(new byte[8192]);
    }
    JsonNode plan = json("gc", "--dry-run");
    assertThat(plan.get("removed")).hasSize(1);
    assertThat(plan.get("findings")).hasSize(3);
    assertThat(run("gc")).isZero();
    assertThat(out.toString())
        .contains("removed conversations/.new-unfinished")
        .contains("left: " + conversations.resolve("notes").toRealPath())
        .contains("left: 'two' is damaged")
        .contains("left: no block was removed, since 'two' might need it")
        .contains("removed files and folders: 1,");
    assertThat(run("verify", "one")).isZero();
  }

  @Test
  void verifyNamesTheDamageAndExitsWithOne() throws IOException {
    make("one", KvType.F32, 100, 90, 1);
    make("two", KvType.F32, 50, 50, 2);
    assertThat(run("verify")).isZero();
    Path block;
    try (Stream<Path> files = Files.walk(temp.resolve("store/blocks"))) {
      block =
          files.filter(file -> file.toString().endsWith("00000001.kv")).sorted().findFirst().get();
    }
    try (RandomAccessFile bytes = new RandomAccessFile(block.toFile(), "rw")) {
      bytes.seek(4096 + 8);
      bytes.write(0x55);
    }
    assertThat(run("verify")).isEqualTo(1);
    assertThat(out.toString()).contains("DAMAGED").contains(block.toString());
    assertThat(run("gc")).isZero();
  }

  @ParameterizedTest
  @EnumSource(
      value = KvType.class,
      names = {"F32", "F16", "BF16"})
  void anExportIsImportedAsItWas(KvType type) throws IOException {
    make("one", type, 100, 90, 1);
    Path file = temp.resolve("one.safetensors");
    assertThat(json("export", "one", file.toString()).get("committedTokens").asInt()).isEqualTo(90);
    assertThat(run("export", "one", file.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("--force");
    assertThat(run("export", "one", temp.toString(), "--force")).isEqualTo(1);
    assertThat(err.toString()).contains("is a folder");
    assertThat(run("export", "one", temp.resolve("none").resolve("one").toString())).isEqualTo(1);
    assertThat(err.toString()).contains("there is no folder " + temp.resolve("none") + " to write");
    assertThat(run("import", file.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("already");
    assertThat(json("import", file.toString(), "two").get("tokens").asInt()).isEqualTo(100);
    same("one", "two", type);
    assertThat(run("verify", "two")).isZero();
    assertThat(run("import", temp.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("is a folder");
  }

  @Test
  void aFolderThatIsNoStoreIsLeftAlone() throws IOException {
    Files.createDirectory(temp.resolve("store"));
    assertThat(run("list")).isEqualTo(1);
    assertThat(err.toString()).contains("is not a store");
    assertThat(temp.resolve("store")).isEmptyDirectory();
  }

  /** Decoded on the way out, encoded on the way in: the same to f32 rounding of a row. */
  @ParameterizedTest
  @EnumSource(
      value = KvType.class,
      names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void aQuantizedExportIsF32AndKeepsItsType(KvType type) throws IOException {
    make("one", type, 100, 90, 1);
    Path file = temp.resolve("one.safetensors");
    assertThat(json("export", "one", file.toString()).get("committedTokens").asInt()).isEqualTo(90);
    assertThat(Files.readString(file, StandardCharsets.ISO_8859_1))
        .contains("\"key_type\":\"" + type.label() + "\"")
        .contains("\"layers.1.keys\":{\"dtype\":\"F32\",\"shape\":[3,90,5]");
    assertThat(json("import", file.toString(), "two").get("tokens").asInt()).isEqualTo(100);
    assertThat(json("list", "two").get(0).get("kvType").asText()).isEqualTo(type.label());
    assertThat(run("verify", "two")).isZero();
    try (Conversation one = store().openOrCreate("one", MODEL, layout(type));
        Conversation two = store().openOrCreate("two", MODEL, layout(type))) {
      float[] a = new float[5];
      float[] b = new float[5];
      for (int head = 0; head < 3; head++) {
        for (int token = 0; token < 90; token++) {
          RowReader.key(one.cache().live(), 1, head, token, a);
          RowReader.key(two.cache().live(), 1, head, token, b);
          assertThat(b).containsExactly(a, within(2e-6f));
          RowReader.value(one.cache().live(), 1, head, token, a);
          RowReader.value(two.cache().live(), 1, head, token, b);
          assertThat(b).containsExactly(a, within(2e-6f));
        }
      }
    }
  }

  private void same(String first, String second, KvType type) {
    try (Conversation one = store().openOrCreate(first, MODEL, layout(type));
        Conversation two = store().openOrCreate(second, MODEL, layout(type))) {
      assertThat(two.tokens().toArray()).isEqualTo(one.tokens().toArray());
      assertThat(two.cache().length()).isEqualTo(one.cache().length());
      float[] a = new float[5];
      float[] b = new float[5];
      for (int layer = 0; layer < 2; layer++) {
        for (int head = 0; head < 3; head++) {
          for (int token = 0; token < one.cache().length(); token++) {
            RowReader.key(one.cache().live(), layer, head, token, a);
            RowReader.key(two.cache().live(), layer, head, token, b);
            assertThat(b).isEqualTo(a);
            RowReader.value(one.cache().live(), layer, head, token, a);
            RowReader.value(two.cache().live(), layer, head, token, b);
            assertThat(b).isEqualTo(a);
          }
        }
      }
    }
  }

  @Test
  void damagedExportsAreRefused() throws IOException {
    make("one", KvType.F16, 40, 40, 1);
    Path file = temp.resolve("one.safetensors");
    assertThat(run("export", "one", file.toString())).isZero();
    byte[] sound = Files.readAllBytes(file);
    Random random = new Random(7);
    for (int round = 0; round < 100; round++) {
      byte[] bytes = sound.clone();
      int at = random.nextInt(bytes.length);
      bytes[at] ^= (byte) (1 << random.nextInt(8));
      Files.write(file, round % 10 == 0 ? java.util.Arrays.copyOf(sound, at) : bytes);
      int exit = run("import", file.toString(), "two");
      if (exit == 0) {
        // A flip in the name, the fingerprint or the padding changes no token and no row.
        assertThat(at).as("byte %d", at).isLessThan(2048);
        store().delete("two");
      }
      assertThat(err.toString()).doesNotContain("defect");
      assertThat(store().ids()).containsExactly("one");
    }
  }

  @Test
  void pythonReadsAnExportByTheFormatsRules() throws Exception {
    make("one", KvType.BF16, 70, 60, 1);
    Path file = temp.resolve("one.safetensors");
    assertThat(run("export", "one", file.toString())).isZero();
    Path script = temp.resolve("read_export.py");
    Files.write(script, getClass().getResourceAsStream("/read_export.py").readAllBytes());
    Process python;
    try {
      python =
          new ProcessBuilder("python3", script.toString(), file.toString())
              .redirectErrorStream(true)
              .start();
    } catch (IOException e) {
      System.err.println("SKIPPED: pythonReadsAnExportByTheFormatsRules: there is no python3");
      Assumptions.abort("there is no python3");
      return;
    }
    String said = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(python.waitFor()).as(said).isZero();
    double sum = 0;
    float[] row = new float[5];
    try (Conversation one = store().openOrCreate("one", MODEL, layout(KvType.BF16))) {
      for (int head = 0; head < 3; head++) {
        for (int token = 0; token < 60; token++) {
          RowReader.key(one.cache().live(), 1, head, token, row);
          for (float value : row) {
            sum += value;
          }
        }
      }
    }
    assertThat(said).contains("layers.1.keys BF16 [3, 60, 5] " + sum);
    assertThat(said).contains("token_ids I32 [70]");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1 << 20, (1 << 20) + 1})
  void sealedBytesOpenWithTheirPassphraseOnly(int length) throws IOException {
    byte[] plain = new byte[length];
    new Random(1).nextBytes(plain);
    ByteArrayOutputStream sealed = new ByteArrayOutputStream();
    try (OutputStream out = Sealed.sealing(sealed, "right".toCharArray())) {
      out.write(plain, 0, length / 3);
      out.write(plain, length / 3, length - length / 3);
    }
    ByteArrayOutputStream opened = new ByteArrayOutputStream();
    Sealed.open(new ByteArrayInputStream(sealed.toByteArray()), opened, "right".toCharArray());
    assertThat(opened.toByteArray()).isEqualTo(plain);
    assertThatThrownBy(() -> open(sealed.toByteArray(), "wrong"))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("passphrase is wrong");
    byte[] bytes = sealed.toByteArray();
    assertThatThrownBy(() -> open(java.util.Arrays.copyOf(bytes, bytes.length - 1), "right"))
        .isInstanceOf(GatunException.class);
    for (int at : new int[] {17, 33, bytes.length - 1}) {
      byte[] damaged = bytes.clone();
      damaged[at] ^= 1;
      assertThatThrownBy(() -> open(damaged, "right")).isInstanceOf(GatunException.class);
    }
    if (length > 1 << 20) {
      // A whole last chunk cut off.
      int whole = Sealed.HEADER + (1 << 20) + 16;
      assertThatThrownBy(() -> open(java.util.Arrays.copyOf(bytes, whole), "right"))
          .isInstanceOf(GatunException.class);
    }
  }

  private static void open(byte[] sealed, String passphrase) throws IOException {
    Sealed.open(
        new ByteArrayInputStream(sealed),
        OutputStream.nullOutputStream(),
        passphrase.toCharArray());
  }

  @Test
  void aBackupIsAStoreAndNamesWhatIsDamaged() throws IOException {
    make("a", KvType.F32, 70, 70, 1);
    make("b", KvType.Q8, 40, 40, 2);
    String dest = temp.resolve("dest").toString();
    JsonNode facts = json("backup", dest);
    assertThat(facts.get("whole").asBoolean()).isTrue();
    assertThat(facts.get("conversations").size()).isEqualTo(2);
    assertThat(facts.get("linkedBlocks").asInt()).isEqualTo(3);
    assertThat(facts.get("copiedBlocks").asInt()).isEqualTo(2);
    assertThat(run("backup", dest)).isZero();
    assertThat(out.toString()).startsWith("2 conversations backed up to ").contains("5 kept");
    out = new StringWriter();
    CommandLine other =
        Failures.install(new CommandLine(new ConversationsCommand()))
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(out));
    assertThat(other.execute("verify", "--store", dest)).as(out.toString()).isZero();
    assertThat(out.toString()).contains("a: sound, 70 tokens").contains("b: sound, 40 tokens");
    store().delete("a");
    Files.write(temp.resolve("store/conversations/b/journal"), new byte[5000]);
    assertThat(run("backup", dest)).isEqualTo(1);
    assertThat(out.toString())
        .contains("NOT BACKED UP WHOLE: b: ")
        .contains("an earlier backup of it stays, with 40 tokens, 40 of them with K/V")
        .contains("'a' is no longer in the store and stays in the backup");
    assertThat(run("backup", temp.resolve("store/sub").toString())).isEqualTo(1);
    assertThat(err.toString()).contains("lies inside the store");
  }
}
