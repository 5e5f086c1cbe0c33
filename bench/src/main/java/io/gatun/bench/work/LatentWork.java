package io.gatun.bench.work;

import io.gatun.attention.Team;
import io.gatun.attention.latent.LatentAttention;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.ReadCeiling;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A decode step of latent attention in the shape of DeepSeek-V3 (section 4.2 of its report): 128
 * heads over rows of 512 latent and 64 rotated values, queries of 128 + 64, outputs of 128.
 *
 * <p>All layers share one f32 up-projection of 64 MiB, which every step reads from end to end
 * beside the rows of its layer.
 */
public final class LatentWork implements AutoCloseable {
  /** Query heads. */
  public static final int HEADS = 128;

  private static final int LATENT_DIM = 512;
  private static final int ROPE_DIM = 64;
  private static final int NOPE_DIM = 128;
  private static final int VALUE_DIM = 128;

  private final Arena arena = Arena.ofShared();
  private final KvLayout layout;
  private final KvCache cache;
  private final long context;
  private final LatentAttention attention;
  private final ReadCeiling[] ceilings; // [layer]
  private final MemorySegment up; // f32 [HEADS][NOPE_DIM + VALUE_DIM][LATENT_DIM]
  private final MemorySegment query; // f32 [HEADS][NOPE_DIM + ROPE_DIM]
  private final MemorySegment out; // f32 [HEADS][VALUE_DIM]

  /** Fills a cache of so many layers. */
  public LatentWork(KvType type, int layers, long context, Team team, Workers workers) {
    this.layout = KvLayout.of(KvShape.latent(layers, LATENT_DIM, ROPE_DIM), type);
    this.context = context;
    this.cache = KvCache.builder(layout.shape()).type(type).build();
    try (RandomRows rows = new RandomRows(context)) {
      fill(rows);
      up = random(rows, HEADS * (NOPE_DIM + VALUE_DIM) * LATENT_DIM);
      query = random(rows, HEADS * (NOPE_DIM + ROPE_DIM));
      out = arena.allocate((long) HEADS * VALUE_DIM * Float.BYTES, 64);
    } catch (RuntimeException | Error e) {
      cache.close();
      arena.close();
      throw e;
    }
    float scale = (float) (1 / Math.sqrt(NOPE_DIM + ROPE_DIM));
    this.attention = new LatentAttention(layout, HEADS, NOPE_DIM, VALUE_DIM, scale, 1, team);
    this.ceilings = new ReadCeiling[layers];
    for (int layer = 0; layer < layers; layer++) {
      List<MemorySegment> bytes = new ArrayList<>(LayerBytes.of(cache.live(), layer));
      bytes.add(up);
      ceilings[layer] = new ReadCeiling(bytes, workers);
    }
  }

  private void fill(RandomRows rows) {
    for (long done = 0; done < context; ) {
      int count = (int) Math.min(256, context - done);
      for (int layer = 0; layer < layout.shape().layers(); layer++) {
        cache.append(layer, rows.next(count * (LATENT_DIM + ROPE_DIM)), null, count);
      }
      cache.advance(count);
      done += count;
    }
  }

  /** Gaussian values with a factor that keeps the scores of order 1. */
  private MemorySegment random(RandomRows rows, int values) {
    MemorySegment segment = arena.allocate((long) values * Float.BYTES, 64);
    int piece = 1 << 14;
    for (int done = 0; done < values; done += piece) {
      int count = Math.min(piece, values - done);
      MemorySegment from = rows.next(count);
      for (int i = 0; i < count; i++) {
        segment.setAtIndex(KvType.LE_FLOAT, done + i, from.getAtIndex(KvType.LE_FLOAT, i) / 16);
      }
    }
    return segment;
  }

  /** Layers for a rotation over more than the processor caches hold. */
  public static int rotatingLayers(KvType type, long context) {
    KvLayout one = KvLayout.of(KvShape.latent(1, LATENT_DIM, ROPE_DIM), type);
    long perLayer = Math.multiplyExact(context, one.bytesPerToken());
    return Math.toIntExact(Math.min(DecodeWork.ROTATION / perLayer + 1, 1 << 16));
  }

  /** Attends in one layer. */
  public void decode(int index) {
    attention.attend(cache.live(), index % ceilings.length, 1, up, query, out);
  }

  /** Reads what a step of one layer reads. */
  public void read(int index) {
    ceilings[index % ceilings.length].read();
  }

  /** Bytes that a step has to read: the rows of a layer and the up-projection. */
  public long stepBytes() {
    return context * layout.bytesPerToken() / layout.shape().layers() + up.byteSize();
  }

  /** Bytes that {@link #read} reads of the first layer: the same. */
  public long readBytes() {
    return ceilings[0].bytes();
  }

  /**
   * Floating-point operations of a step: per head and token one multiply and one add for each key
   * dim and each latent dim, and per head as many for each element of the up-projection. Softmax is
   * not counted.
   */
  public double operations() {
    double attended = (double) context * (LATENT_DIM + ROPE_DIM + LATENT_DIM);
    double projected = (double) (NOPE_DIM + VALUE_DIM) * LATENT_DIM;
    return 2.0 * HEADS * (attended + projected);
  }

  /** What the last step gave, f32 {@code [HEADS][VALUE_DIM]}. */
  public MemorySegment out() {
    return out;
  }

  @Override
  public void close() {
    attention.close();
    cache.close();
    arena.close();
  }
}
