package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class KvCacheTest {
  /** A value that names its place and is exact in every element type. */
  private static float cell(int layer, int head, long token, int dim, boolean key) {
    return (token % 61) + 64 * (layer * 2 + head) * (key ? 1 : -1) + (dim % 2);
  }

  private static void append(KvCache cache, int layer, int tokens, int salt) {
    KvShape shape = cache.shape();
    long start = cache.length() + cache.pending(layer);
    float[] keys = new float[tokens * shape.kvHeads() * shape.keyDim()];
    float[] values = new float[tokens * shape.kvHeads() * shape.valueDim()];
    for (int t = 0; t < tokens; t++) {
      for (int head = 0; head < shape.kvHeads(); head++) {
        int row = t * shape.kvHeads() + head;
        for (int d = 0; d < shape.keyDim(); d++) {
          keys[row * shape.keyDim() + d] = cell(layer, head, start + t + salt, d, true);
        }
        for (int d = 0; d < shape.valueDim(); d++) {
          values[row * shape.valueDim() + d] = cell(layer, head, start + t + salt, d, false);
        }
      }
    }
    cache.append(layer, MemorySegment.ofArray(keys), MemorySegment.ofArray(values), tokens);
  }

  private static void step(KvCache cache, int tokens, int salt) {
    for (int layer = 0; layer < cache.shape().layers(); layer++) {
      append(cache, layer, tokens, salt);
    }
    cache.advance(tokens);
  }

  /** Checks the tokens {@code [from, to)} of a view against what {@link #step} wrote. */
  private static void check(KvView view, long from, long to, int salt) {
    KvShape shape = view.layout().shape();
    float[] key = new float[shape.keyDim()];
    float[] value = new float[shape.valueDim()];
    for (int layer = 0; layer < shape.layers(); layer++) {
      for (int head = 0; head < shape.kvHeads(); head++) {
        for (long token = from; token < to; token++) {
          RowReader.key(view, layer, head, token, key);
          RowReader.value(view, layer, head, token, value);
          for (int d = 0; d < key.length; d++) {
            assertThat(key[d]).isEqualTo(cell(layer, head, token + salt, d, true));
          }
          for (int d = 0; d < value.length; d++) {
            assertThat(value[d]).isEqualTo(cell(layer, head, token + salt, d, false));
          }
        }
      }
    }
  }

  private static KvCache cache(KvType type) {
    return KvCache.builder(new KvShape(2, 2, 5, 3)).type(type).blockTokens(16).build();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void batchesCrossBlockBorders(KvType type) {
    try (KvCache cache = cache(type)) {
      int[] batches = {1, 14, 3, 40, 1, 16, 32, 5};
      for (int tokens : batches) {
        step(cache, tokens, 0);
      }
      assertThat(cache.length()).isEqualTo(112);
      check(cache.live(), 0, 112, 0);
      try (KvView view = cache.view()) {
        check(view, 0, 112, 0);
      }
    }
  }

  @Test
  void pendingRowsAreReadableInTheirLayerAndVanishOnTruncate() {
    try (KvCache cache = cache(KvType.F32)) {
      step(cache, 10, 0);
      append(cache, 0, 20, 0);
      assertThat(cache.live().length(0)).isEqualTo(30);
      assertThat(cache.live().length(1)).isEqualTo(10);
      assertThat(cache.live().length()).isEqualTo(10);
      float[] key = new float[5];
      RowReader.key(cache.live(), 0, 1, 29, key);
      assertThat(key[0]).isEqualTo(cell(0, 1, 29, 0, true));
      assertThatThrownBy(() -> cache.advance(20)).hasMessageContaining("layer 1 was given 0");
      cache.truncate(10);
      assertThat(cache.live().length(0)).isEqualTo(10);
      step(cache, 30, 7);
      check(cache.live(), 0, 10, 0);
      check(cache.live(), 10, 40, 7);
    }
  }

  @Test
  void acceptedPrefixOfASpeculativeBatchStaysAndTheRestIsOverwritten() {
    try (KvCache cache = cache(KvType.F16)) {
      step(cache, 12, 0);
      append(cache, 0, 8, 0);
      append(cache, 1, 8, 0);
      cache.advance(3);
      cache.truncate(15);
      step(cache, 9, 5);
      check(cache.live(), 0, 15, 0);
      check(cache.live(), 15, 24, 5);
      assertThat(cache.live().runs()).isEqualTo(2);
    }
  }

  @Test
  void viewsKeepTheirRowsWhateverTheWriterDoes() {
    try (KvCache cache = cache(KvType.BF16)) {
      step(cache, 40, 0);
      KvView view = cache.view();
      cache.truncate(21);
      step(cache, 30, 9);
      check(view, 0, 40, 0);
      check(cache.live(), 0, 21, 0);
      check(cache.live(), 21, 51, 9);
      view.close();
      assertThatThrownBy(() -> view.keys(0)).isInstanceOf(IllegalStateException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 15, 16, 17, 37, 40})
  void forksShareBlocksAndGoOnAlone(long at) {
    KvCache cache = cache(KvType.F32);
    step(cache, 40, 0);
    try (KvCache child = cache.fork(at)) {
      step(child, 25, 3);
      step(cache, 25, 0);
      check(cache.live(), 0, 65, 0);
      check(child.live(), 0, at, 0);
      check(child.live(), at, at + 25, 3);
      cache.close();
      check(child.live(), 0, at, 0);
    }
  }

  @Test
  void randomHistoriesAgreeWithAModelOnTheHeap() {
    long seed = new Random().nextLong();
    System.out.println("KvCacheTest seed " + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 50; round++) {
      // The model: for each token its salt. A token at position p with salt s has rows cell(p + s).
      int[] salts = new int[2000];
      try (KvCache cache = cache(KvType.F32)) {
        for (int op = 0; op < 40; op++) {
          int length = (int) cache.length();
          switch (random.nextInt(4)) {
            case 0, 1 -> {
              int tokens = 1 + random.nextInt(40);
              int salt = random.nextInt(50);
              java.util.Arrays.fill(salts, length, length + tokens, salt);
              step(cache, tokens, salt);
            }
            case 2 -> cache.truncate(random.nextInt(length + 1));
            default -> {
              if (random.nextBoolean()) {
                cache.view().close();
              } else {
                cache.fork(random.nextInt(length + 1)).close();
              }
            }
          }
          for (int p = 0; p < cache.length(); p += 1 + random.nextInt(5)) {
            check(cache.live(), p, p + 1, salts[p]);
          }
        }
      } catch (AssertionError e) {
        throw new AssertionError("seed " + seed + ", round " + round, e);
      }
    }
  }

  @Test
  void valuesThatCannotBeStoredAreRefusedByName() {
    try (KvCache cache = cache(KvType.F16)) {
      float[] keys = new float[3 * 2 * 5];
      float[] values = new float[3 * 2 * 3];
      keys[(1 * 2 + 1) * 5 + 4] = Float.NaN;
      assertThatThrownBy(
              () -> cache.append(1, MemorySegment.ofArray(keys), MemorySegment.ofArray(values), 3))
          .isInstanceOf(GatunException.class)
          .hasMessage("key value NaN is not finite: layer 1, KV head 1, token 1, dim 4");
      keys[(1 * 2 + 1) * 5 + 4] = 0;
      values[2 * 2 * 3] = -65520f;
      assertThatThrownBy(
              () -> cache.append(1, MemorySegment.ofArray(keys), MemorySegment.ofArray(values), 3))
          .isInstanceOf(GatunException.class)
          .hasMessageContaining("too large for f16")
          .hasMessageContaining("layer 1, KV head 0, token 2, dim 0");
      assertThat(cache.pending(1)).isZero();
      values[2 * 2 * 3] = -65519.99f;
      cache.append(1, MemorySegment.ofArray(keys), MemorySegment.ofArray(values), 3);
      float[] row = new float[3];
      RowReader.value(cache.live(), 1, 0, 2, row);
      assertThat(row[0]).isEqualTo(-65504f);
    }
  }

  @Test
  void roundsToNearestTiesToEven() {
    float[] in = {
      1.00390625f, 1.01171875f, 1.0039064f, -1.00390625f, 1e-40f, 3.3895314e38f, 0f, -0f, 5.9e-8f
    };
    try (KvCache cache =
        KvCache.builder(new KvShape(1, 1, 9, 9)).types(KvType.BF16, KvType.F32).build()) {
      cache.append(0, MemorySegment.ofArray(in), MemorySegment.ofArray(in), 1);
      float[] out = new float[9];
      RowReader.key(cache.live(), 0, 0, 0, out);
      assertThat(out[0]).isEqualTo(1.0f);
      assertThat(out[1]).isEqualTo(1.015625f);
      assertThat(out[2]).isEqualTo(1.0078125f);
      assertThat(out[3]).isEqualTo(-1.0f);
      assertThat(out[5]).isEqualTo(3.3895314e38f);
      RowReader.value(cache.live(), 0, 0, 0, out);
      assertThat(out).containsExactly(in);
    }
  }

  @Test
  void scratchFilesLeaveNothingBehind(@TempDir Path folder) throws Exception {
    try (KvCache cache =
        KvCache.builder(new KvShape(2, 2, 5, 3)).blockTokens(16).mappedIn(folder).build()) {
      step(cache, 40, 0);
      check(cache.live(), 0, 40, 0);
      try (Stream<Path> files = Files.list(folder)) {
        assertThat(files).isEmpty();
      }
    }
  }

  @Test
  void rowsInAScratchFileMakeItsBlockDirtyOnce(@TempDir Path folder) throws Exception {
    Path counters = Path.of("/proc/self/io");
    assumeTrue(Files.isReadable(counters));
    KvShape shape = new KvShape(32, 8, 128, 128);
    try (KvCache cache = KvCache.builder(shape).type(KvType.BF16).mappedIn(folder).build();
        Arena arena = Arena.ofConfined()) {
      MemorySegment rows = arena.allocate(8 * 128 * Float.BYTES);
      // In large pages each row makes the 2 MiB around it dirty: here a block of 128 MiB, once.
      long before = writtenBytes(counters);
      for (int token = 0; token < 32; token++) {
        for (int layer = 0; layer < shape.layers(); layer++) {
          cache.append(layer, rows, rows, 1);
        }
        cache.advance(1);
      }
      assertThat(writtenBytes(counters) - before)
          .isLessThan(cache.layout().blockBytes() + 3 * 32 * cache.layout().bytesPerToken());
    }
  }

  private static long writtenBytes(Path counters) throws IOException {
    return Files.readAllLines(counters).stream()
        .filter(line -> line.startsWith("write_bytes:"))
        .mapToLong(line -> Long.parseLong(line.substring("write_bytes:".length()).strip()))
        .sum();
  }

  @Test
  void positionsPastTwoToThe31ElementsAreReadBack() {
    // A segment holds 2^32 elements, the last layer lies past 2^31; untouched anonymous memory
    // costs nothing.
    KvShape shape = new KvShape(128, 128, 64, 64);
    try (KvCache cache = KvCache.builder(shape).type(KvType.BF16).blockTokens(4096).build()) {
      KvLayout layout = cache.layout();
      assertThat(layout.keysBytes() / 2).isEqualTo(1L << 32);
      float[] first = new float[128 * 64];
      float[] last = new float[128 * 64];
      java.util.Arrays.fill(first, 3f);
      java.util.Arrays.fill(last, 5f);
      cache.append(0, MemorySegment.ofArray(first), MemorySegment.ofArray(last), 1);
      cache.append(127, MemorySegment.ofArray(last), MemorySegment.ofArray(first), 1);
      float[] row = new float[64];
      RowReader.key(cache.live(), 0, 0, 0, row);
      assertThat(row).containsOnly(3f);
      RowReader.key(cache.live(), 127, 127, 0, row);
      assertThat(row).containsOnly(5f);
      RowReader.value(cache.live(), 127, 127, 0, row);
      assertThat(row).containsOnly(3f);
      assertThat(layout.keyOffset(127, 127, 4095)).isEqualTo((1L << 33) - 128);
    }
  }
}
