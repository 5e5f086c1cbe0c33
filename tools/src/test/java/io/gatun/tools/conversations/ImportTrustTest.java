package io.gatun.tools.conversations;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Fingerprint;
import io.gatun.tools.cli.Failures;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** An imported file is believed by other conversations only if its importer says so. */
class ImportTrustTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");
  private static final KvLayout LAYOUT =
      new KvLayout(new KvShape(1, 1, 4, 4), KvType.F32, KvType.F32, 32);
  private static final int[] IDS = new Random(3).ints(100, 0, 1000).toArray();

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

  private JsonNode list(String id) throws IOException {
    assertThat(run("list", id, "--json")).as(err.toString()).isZero();
    return new JsonMapper().readTree(out.toString()).get(0);
  }

  private ConversationStore store() {
    return ConversationStore.open(temp.resolve("store"));
  }

  private long reusedBy(String id) {
    try (Conversation talk = store().openOrCreate(id, MODEL, LAYOUT, IDS)) {
      return talk.report().reusedTokens();
    }
  }

  private Path export() {
    try (Conversation talk = store().openOrCreate("talk", MODEL, LAYOUT)) {
      talk.accept(IDS, 0, IDS.length);
      MemorySegment rows = MemorySegment.ofArray(new float[4 * IDS.length]);
      talk.cache().append(0, rows, rows, IDS.length);
      talk.cache().advance(IDS.length);
    }
    Path file = temp.resolve("talk.safetensors");
    assertThat(run("export", "talk", file.toString())).as(err.toString()).isZero();
    assertThat(run("delete", "talk", "--yes")).isZero();
    return file;
  }

  @Test
  void anImportIsMarkedAndItsRowsAreNotHandedOut() throws IOException {
    String file = export().toString();
    assertThat(run("import", file)).as(err.toString()).isZero();
    assertThat(out.toString()).contains("not handed to other conversations (--trusted");
    assertThat(list("talk").get("imported").asBoolean()).isTrue();
    assertThat(run("fork", "talk", "fork", "--at", "80")).isZero();
    assertThat(list("fork").get("imported").asBoolean()).isTrue();
    assertThat(run("pin", "fork")).isZero();
    assertThat(run("list")).isZero();
    assertThat(out.toString()).containsPattern("talk .* imported").contains("pinned, imported");
    assertThat(run("show", "talk")).isZero();
    assertThat(out.toString()).containsPattern("imported +true");
    assertThat(reusedBy("new")).isZero();
  }

  @Test
  void aTrustedImportIsLikeAConversationOfThisStore() throws IOException {
    String file = export().toString();
    assertThat(run("import", "--trusted", file, "friend")).as(err.toString()).isZero();
    assertThat(out.toString()).doesNotContain("not handed");
    assertThat(list("friend").get("imported").asBoolean()).isFalse();
    assertThat(reusedBy("new")).isEqualTo(IDS.length);
  }

  @Test
  void theHelpSaysWhatBecomesOfImportedRows() {
    assertThat(run("import", "--help")).isZero();
    assertThat(out.toString()).contains("--trusted").contains("marked as imported");
    assertThat(run("list", "--help")).isZero();
    assertThat(out.toString()).contains("imported");
  }
}
