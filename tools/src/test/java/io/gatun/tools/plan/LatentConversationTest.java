package io.gatun.tools.plan;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.attention.Team;
import io.gatun.attention.latent.LatentAttention;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Fingerprint;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.inspect.InspectCommand;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** A latent cache in a stored conversation: it comes back, and inspect and the planner agree. */
class LatentConversationTest {
  private static final int LAYERS = 3;
  private static final int LATENT = 64;
  private static final int ROPE = 16;
  private static final int TOKENS = 40;
  private static final int HEADS = 6;
  private static final int NOPE = 24;
  private static final int VALUE = 20;

  @Test
  void storedReopenedInspectedAndPlanned(@TempDir Path folder) throws Exception {
    KvLayout layout = KvLayout.of(KvShape.latent(LAYERS, LATENT, ROPE), KvType.BF16);
    Fingerprint model = Fingerprint.of("latent test model");
    try (Arena arena = Arena.ofShared();
        Team team = Team.of(2);
        LatentAttention attention =
            new LatentAttention(layout, HEADS, NOPE, VALUE, 0.16f, 1, team)) {
      MemorySegment up = gaussian(arena, (long) HEADS * (NOPE + VALUE) * LATENT);
      MemorySegment q = gaussian(arena, HEADS * (NOPE + ROPE));
      MemorySegment before = gaussian(arena, HEADS * VALUE);
      MemorySegment after = gaussian(arena, HEADS * VALUE);
      try (ConversationStore store = ConversationStore.open(folder);
          Conversation conversation = store.openOrCreate("latent", model, layout)) {
        conversation.accept(new int[TOKENS], 0, TOKENS);
        KvCache cache = conversation.cache();
        for (int layer = 0; layer < LAYERS; layer++) {
          cache.append(layer, gaussian(arena, TOKENS * (LATENT + ROPE)), null, TOKENS);
        }
        cache.advance(TOKENS);
        conversation.commit();
        attention.attend(cache.live(), 2, 1, up, q, before);
      }
      try (ConversationStore store = ConversationStore.open(folder);
          Conversation conversation = store.openOrCreate("latent", model, layout)) {
        assertThat(conversation.cache().length()).isEqualTo(TOKENS);
        attention.attend(conversation.cache().live(), 2, 1, up, q, after);
        assertThat(after.mismatch(before)).isEqualTo(-1);
      }
    }
    JsonNode facts = inspect(folder).get(0);
    assertThat(facts.get("valuesInKeys").asBoolean()).isTrue();
    assertThat(facts.get("keyDim").asInt()).isEqualTo(LATENT + ROPE);
    assertThat(facts.get("valueDim").asInt()).isEqualTo(LATENT);
    AttentionShape planned =
        new AttentionShape(
            "latent",
            HEADS,
            1,
            NOPE,
            VALUE,
            new AttentionShape.Latent(LATENT, ROPE),
            AttentionShape.fullAttention(LAYERS),
            0,
            0,
            AttentionShape.Source.GIVEN);
    assertThat(facts.get("bytesPerToken").asLong())
        .isEqualTo(CacheCost.of(planned, KvType.BF16, 1).bytesPerToken())
        .isEqualTo(LAYERS * (LATENT + ROPE) * 2L);
  }

  private static JsonNode inspect(Path folder) throws Exception {
    StringWriter out = new StringWriter();
    int code =
        new CommandLine(new InspectCommand())
            .setOut(new PrintWriter(out))
            .execute("--store", folder.toString(), "--json");
    assertThat(code).isZero();
    return new JsonMapper().readTree(out.toString());
  }

  private static MemorySegment gaussian(Arena arena, long count) {
    Random random = new Random(count);
    MemorySegment rows = arena.allocate(4 * count, 64);
    for (long i = 0; i < count; i++) {
      rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return rows;
  }
}
