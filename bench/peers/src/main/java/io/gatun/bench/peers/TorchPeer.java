package io.gatun.bench.peers;

import io.gatun.bench.peer.Peer;
import io.gatun.bench.peer.PeerWork;
import io.gatun.bench.work.Heads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Scaled dot-product attention of libtorch. The query heads of a KV head stand as rows of one
 * query: {@code [1, kvHeads, group, dim]} on {@code [1, kvHeads, context, dim]}. With one query
 * token no mask is needed, and K/V need not be repeated for each query head, as the plain form would
 * have it.
 */
final class TorchPeer implements Peer {
  private final Arena arena = Arena.ofShared();
  private final Tensor query; // f32 [1][kvHeads][group][dim]
  private final Tensor[] keys; // [layer], f32 [1][kvHeads][context][dim]
  private final Tensor[] values; // [layer], as the keys
  private final float[] out; // [numHeads][headDim]
  private final TensorOptional noMask = new TensorOptional();
  private final DoubleOptional usualScale = new DoubleOptional();

  TorchPeer(PeerWork work) {
    PeerWork.Size size = work.size();
    Heads heads = size.heads();
    torch.set_num_threads(size.threads());
    MemorySegment q = floats(size.queryFloats());
    q.copyFrom(MemorySegment.ofArray(work.query()));
    this.query = tensor(q, 1, heads.numKvHeads(), heads.group(), heads.headDim());
    this.keys = new Tensor[size.layers()];
    this.values = new Tensor[size.layers()];
    for (int layer = 0; layer < size.layers(); layer++) {
      MemorySegment k = floats(size.layerFloats());
      MemorySegment v = floats(size.layerFloats());
      work.keysByHead(layer, k);
      work.valuesByHead(layer, v);
      keys[layer] = tensor(k, 1, heads.numKvHeads(), size.context(), heads.headDim());
      values[layer] = tensor(v, 1, heads.numKvHeads(), size.context(), heads.headDim());
    }
    this.out = new float[size.queryFloats()];
  }

  private MemorySegment floats(int count) {
    return arena.allocate((long) count * Float.BYTES, 64);
  }

  private static Tensor tensor(MemorySegment memory, long... shape) {
    FloatPointer pointer =
        new FloatPointer(memory.asByteBuffer().order(ByteOrder.nativeOrder()).asFloatBuffer());
    return torch.from_blob(pointer, shape);
  }

  @Override
  public void decode(int layer) {
    try (PointerScope scope = new PointerScope();
        InferenceMode mode = new InferenceMode(true)) {
      Tensor result =
          torch.scaled_dot_product_attention(
              query, keys[layer], values[layer], noMask, 0.0, false, usualScale, false);
      // The output is numHeads x headDim floats: taking it out costs next to nothing.
      result.data_ptr_float().get(out);
      scope.detach(mode);
    }
  }

  @Override
  public void output(float[] to) {
    System.arraycopy(out, 0, to, 0, out.length);
  }

  @Override
  public void close() {
    query.close();
    for (int layer = 0; layer < keys.length; layer++) {
      keys[layer].close();
      values[layer].close();
    }
    arena.close();
  }
}
