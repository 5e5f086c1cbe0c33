package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The store keeps the codes and the scales of quantised rows, both, and finds damage in either. */
class QuantizedStoreTest {
  private static final Fingerprint MODEL = Fingerprint.of("a model");
  private static final KvShape SHAPE = new KvShape(2, 2, 72, 100);

  @TempDir Path temp;

  private ConversationStore store() {
    return ConversationStore.open(temp.resolve("store"));
  }

  private static KvLayout layout(KvType type) {
    return new KvLayout(SHAPE, type, type, 64);
  }

  private Conversation open(KvType type) {
    return store().openOrCreate("talk", MODEL, layout(type));
  }

  /** Appends the rows of the tokens from the cache's end up to {@code to}: those of every run of it. */
  private static void append(KvCache cache, int to) {
    for (int token = (int) cache.length(); token < to; token++) {
      for (int layer = 0; layer < SHAPE.layers(); layer++) {
        Random random = new Random(token * 31L + layer);
        float[] keys = new float[SHAPE.kvHeads() * SHAPE.keyDim()];
        float[] values = new float[SHAPE.kvHeads() * SHAPE.valueDim()];
        for (int i = 0; i < keys.length; i++) {
          keys[i] = (float) random.nextGaussian();
        }
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) random.nextGaussian();
        }
        cache.append(layer, MemorySegment.ofArray(keys), MemorySegment.ofArray(values), 1);
      }
      cache.advance(1);
    }
  }

  /** Every row of the view is, bit for bit, that of a cache in memory that was given the same. */
  private static void check(KvView view, int tokens) {
    assertThat(view.length()).isEqualTo(tokens);
    try (KvCache expected =
        KvCache.builder(SHAPE).type(view.layout().keyType()).blockTokens(64).build()) {
      append(expected, tokens);
      float[] row = new float[100];
      float[] other = new float[100];
      for (int layer = 0; layer < SHAPE.layers(); layer++) {
        for (int head = 0; head < SHAPE.kvHeads(); head++) {
          for (int token = 0; token < tokens; token++) {
            RowReader.storedKey(view, layer, head, token, row);
            RowReader.storedKey(expected.live(), layer, head, token, other);
            assertThat(row).isEqualTo(other);
            RowReader.storedValue(view, layer, head, token, row);
            RowReader.storedValue(expected.live(), layer, head, token, other);
            assertThat(row).isEqualTo(other);
          }
        }
      }
    }
  }

  private List<Path> blockFiles() throws IOException {
    try (Stream<Path> files = Files.walk(temp.resolve("store/blocks"))) {
      return files.filter(file -> file.toString().endsWith(".kv")).sorted().toList();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4", "Q8_PLAIN", "Q4_PLAIN"})
  void commitsRollbacksAndForksComeBackBitForBit(KvType type) {
    try (Conversation talk = open(type)) {
      talk.accept(new int[150], 0, 150);
      append(talk.cache(), 100);
      talk.commit();
      append(talk.cache(), 130);
      talk.commit();
      talk.truncate(90);
      talk.accept(new int[110], 0, 110);
      append(talk.cache(), 150);
      talk.commit();
    }
    try (Conversation talk = open(type)) {
      assertThat(talk.report().findings()).isEmpty();
      check(talk.cache().live(), 150);
    }
    ConversationStore store = store();
    assertThat(store.verify("talk", bytes -> {}).damage()).isEmpty();
    store.fork("talk", "child", 70);
    try (Conversation child = store.openOrCreate("child", MODEL, layout(type))) {
      child.accept(new int[30], 0, 30);
      append(child.cache(), 100);
      child.commit();
      check(child.cache().live(), 100);
    }
    store.close();
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8", "Q4_PLAIN"})
  void aDamagedScaleIsFoundAndCostsTheRowsBehindIt(KvType type) throws IOException {
    try (Conversation talk = open(type)) {
      talk.accept(new int[150], 0, 150);
      append(talk.cache(), 150);
      talk.commit();
    }
    KvLayout layout = layout(type);
    long[] places = {
      layout.keyScaleOffset(1, 0, 20),
      layout.keysBytes() + layout.valueScaleOffset(1, 1, 20) + 4,
      layout.keysBytes() + layout.valueOffset(0, 1, 20)
    };
    Path second = blockFiles().get(1);
    for (long place : places) {
      ConversationStoreTest.flip(second, BlockHeader.BYTES + place);
      Verification found = store().verify("talk", bytes -> {});
      assertThat(found.soundTokens()).as("%s, place %d", type, place).isEqualTo(64);
      assertThat(found.damage()).singleElement().asString().contains(second.toString());
      ConversationStoreTest.flip(second, BlockHeader.BYTES + place);
      assertThat(store().verify("talk", bytes -> {}).damage()).isEmpty();
    }
    ConversationStoreTest.flip(second, BlockHeader.BYTES + places[0]);
    ConversationStore careful =
        ConversationStore.open(
            temp.resolve("store"),
            StoreOptions.defaults().withValidation(StoreOptions.Validation.ALWAYS));
    try (Conversation talk = careful.openOrCreate("talk", MODEL, layout)) {
      assertThat(talk.committedTokens()).isEqualTo(64);
      assertThat(talk.report().tokensToPrefill()).isEqualTo(86);
      append(talk.cache(), 150);
      talk.commit();
      check(talk.cache().live(), 150);
    }
    assertThat(store().verify("talk", bytes -> {}).damage()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void anotherTypeIsRefusedWithBothNames(KvType type) {
    open(type).close();
    for (KvType other : KvType.values()) {
      if (other != type) {
        assertThatThrownBy(() -> open(other))
            .hasMessageContaining("keys %s, values %s".formatted(type.label(), type.label()))
            .hasMessageContaining("keys %s, values %s".formatted(other.label(), other.label()));
      }
    }
  }
}
