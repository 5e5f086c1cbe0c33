package io.gatun.bench.peers;

import com.github.tjake.jlama.math.VectorMath;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.FloatBufferTensor;
import com.github.tjake.jlama.tensor.TensorCache;
import com.github.tjake.jlama.tensor.TensorShape;
import com.github.tjake.jlama.tensor.operations.TensorOperations;
import com.github.tjake.jlama.tensor.operations.TensorOperationsProvider;
import com.github.tjake.jlama.util.PhysicalCoreExecutor;
import io.gatun.bench.peer.Peer;
import io.gatun.bench.peer.PeerWork;
import io.gatun.bench.work.Heads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/**
 * The attention core of Jlama: per query head a batch of dot products with the pages of keys,
 * scaling, softmax, and the weighted sum of the pages of values, by its own operations on its own
 * threads. A page holds the tokens of one layer, {@code [token][kvHead x dim]}.
 */
@SuppressWarnings({
  "rawtypes",
  "resource"
}) // Jlama's tensors are raw types with a cache behind them
final class JlamaPeer implements Peer {
  /** Jlama's own size of a page with keys and values. */
  private static final int PAGE_BYTES = 8 << 20;

  private static boolean threadsSet;

  private final PeerWork.Size size;
  private final Arena arena = Arena.ofShared();
  private final TensorOperations operations;
  private final int pageTokens;
  private final AbstractTensor[][] keys; // [layer][page], f32 [pageTokens][kvHeads x dim]
  private final AbstractTensor[][] values; // [layer][page], as the keys
  private final AbstractTensor query; // f32 [1][numHeads x dim]
  private final AbstractTensor out; // f32 [1][numHeads x dim]

  JlamaPeer(PeerWork work) {
    this.size = work.size();
    setThreads(size.threads());
    this.operations = TensorOperationsProvider.get();
    int width = size.tokenFloats();
    this.pageTokens = Math.max(1, PAGE_BYTES / (2 * width * Float.BYTES));
    int pages = Math.ceilDiv(size.context(), pageTokens);
    this.keys = new AbstractTensor[size.layers()][pages];
    this.values = new AbstractTensor[size.layers()][pages];
    for (int layer = 0; layer < size.layers(); layer++) {
      for (int page = 0; page < pages; page++) {
        int first = page * pageTokens;
        int tokens = Math.min(pageTokens, size.context() - first);
        MemorySegment memory = arena.allocate(2L * pageTokens * width * Float.BYTES, 64);
        MemorySegment k = memory.asSlice(0, memory.byteSize() / 2);
        MemorySegment v = memory.asSlice(memory.byteSize() / 2);
        work.keysByToken(layer, first, tokens, k);
        work.valuesByToken(layer, first, tokens, v);
        keys[layer][page] = tensor(k, width);
        values[layer][page] = tensor(v, width);
      }
    }
    this.query = new FloatBufferTensor(1, size.queryFloats());
    this.out = new FloatBufferTensor(1, size.queryFloats());
    for (int i = 0; i < size.queryFloats(); i++) {
      query.set(work.query()[i], 0, i);
    }
  }

  /** Jlama has one pool for the whole process, whose size can be set only before its first use. */
  private static synchronized void setThreads(int threads) {
    if (!threadsSet) {
      PhysicalCoreExecutor.overrideThreadCount(threads);
      threadsSet = true;
    }
  }

  private AbstractTensor tensor(MemorySegment memory, int width) {
    return new FloatBufferTensor(
        memory.asByteBuffer().order(ByteOrder.nativeOrder()).asFloatBuffer(),
        TensorShape.of(pageTokens, width),
        true);
  }

  @Override
  public void decode(int layer) {
    out.clear();
    VectorMath.pfor(0, size.heads().numHeads(), head -> decodeHead(layer, head));
  }

  private void decodeHead(int layer, int head) {
    Heads heads = size.heads();
    int dim = heads.headDim();
    int at = head * dim;
    int kvAt = head / heads.group() * dim;
    AbstractTensor[] k = keys[layer];
    AbstractTensor[] v = values[layer];
    TensorShape shape = TensorShape.of(1, pageTokens * k.length);
    try (AbstractTensor scores = TensorCache.instance.get(DType.F32, shape)) {
      for (int page = 0; page < k.length; page++) {
        int first = page * pageTokens;
        int tokens = Math.min(pageTokens, size.context() - first);
        operations.batchDotProduct(scores, query, k[page], at, kvAt, dim, first, 0, tokens);
      }
      operations.scale((float) (1 / StrictMath.sqrt(dim)), scores, 0, size.context());
      VectorMath.softMax(scores, 0, size.context());
      for (int page = 0; page < v.length; page++) {
        int first = page * pageTokens;
        int tokens = Math.min(pageTokens, size.context() - first);
        operations.saxpy(scores, v[page], out, kvAt, at, dim, first, 0, tokens);
      }
    }
  }

  @Override
  public void output(float[] to) {
    for (int i = 0; i < to.length; i++) {
      to[i] = out.get(0, i);
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
