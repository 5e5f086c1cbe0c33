package io.gatun.bench.work;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.ReadCeiling;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.function.LongConsumer;

/**
 * The decode of one query token over a filled cache, layer by layer, and the plain read of the same
 * bytes. The layers rotate, and there are so many of them that together they pass {@link
 * #ROTATION}: no processor cache holds a layer until its turn comes again.
 *
 * <p>Thread rules: one caller at a time.
 */
public final class DecodeWork implements AutoCloseable {
  /** K and V of all layers take more bytes than this. */
  public static final long ROTATION = 512L << 20;

  private final KvLayout layout;
  private final Heads heads;
  private final long context;
  private final KvCache cache;
  private final GqaAttention attention;
  private final ReadCeiling[] ceilings; // [layer]
  private final MemorySegment query; // f32 [numHeads][headDim]
  private final MemorySegment out; // f32 [numHeads][headDim]

  /**
   * Fills a cache.
   *
   * @param folder where mapped files go
   * @param team the threads that decode
   * @param workers the threads that read for the ceiling
   * @param progress told how many tokens were added after each batch
   */
  public DecodeWork(
      Heads heads,
      KvType type,
      int layers,
      long context,
      Storage storage,
      Path folder,
      Team team,
      Workers workers,
      LongConsumer progress) {
    this.layout = KvLayout.of(heads.shape(layers), type);
    this.heads = heads;
    this.context = context;
    this.cache = storage.open(layout, folder);
    try (RandomRows rows = new RandomRows(context)) {
      rows.fill(cache, context, progress);
      int values = heads.numHeads() * heads.headDim();
      query = Arena.ofAuto().allocate(values * (long) Float.BYTES, 64);
      query.copyFrom(rows.next(values));
      out = Arena.ofAuto().allocate(values * (long) Float.BYTES, 64);
    } catch (RuntimeException | Error e) {
      cache.close();
      throw e;
    }
    AttentionOptions options = AttentionOptions.of(heads.numHeads(), heads.headDim());
    this.attention = GqaAttention.create(layout, options, team);
    this.ceilings = new ReadCeiling[layers];
    for (int layer = 0; layer < layers; layer++) {
      ceilings[layer] = new ReadCeiling(LayerBytes.of(cache.live(), layer), workers);
    }
  }

  /** Layers for a rotation over more than {@link #ROTATION} bytes. */
  public static int rotatingLayers(Heads heads, KvType type, long context) {
    long perLayer = Math.multiplyExact(context, KvLayout.of(heads.shape(1), type).bytesPerToken());
    return Math.toIntExact(Math.min(ROTATION / perLayer + 1, 1 << 16));
  }

  /** Bytes that so many layers and tokens take in blocks. */
  public static long bytes(Heads heads, KvType type, int layers, long context) {
    KvLayout layout = KvLayout.of(heads.shape(layers), type);
    return Math.multiplyExact(
        Math.ceilDiv(context, (long) layout.blockTokens()), layout.blockBytes());
  }

  /** Decodes one layer. */
  public void decode(int index) {
    attention.decode(cache.live(), index % ceilings.length, query, out);
  }

  /** Reads one layer. */
  public void read(int index) {
    ceilings[index % ceilings.length].read();
  }

  /** Bytes of K and V that a step has to read: one layer. */
  public long stepBytes() {
    return context * layout.bytesPerToken() / layout.shape().layers();
  }

  /**
   * Floating-point operations of a step's products: per query head and token one multiply and one
   * add for each key dim and each value dim. Softmax is not counted, nor what it takes to decode
   * rows.
   */
  public double operations() {
    double dims = layout.shape().keyDim() + layout.shape().valueDim();
    return 2 * dims * heads.numHeads() * context;
  }

  /** Bytes that {@link #read} reads of the first layer: the same. */
  public long readBytes() {
    return ceilings[0].bytes();
  }

  /** The cache. */
  public KvCache cache() {
    return cache;
  }

  /** The query, f32 {@code [numHeads][headDim]}. */
  public MemorySegment query() {
    return query;
  }

  /** What the last decode gave, f32 {@code [numHeads][headDim]}. */
  public MemorySegment out() {
    return out;
  }

  @Override
  public void close() {
    attention.close();
    cache.close();
  }
}
