package io.gatun.bench.peers;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.gatun.bench.peer.Peer;
import io.gatun.bench.peer.PeerWork;
import io.gatun.bench.work.Heads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * GroupQueryAttention of ONNX Runtime in shared-buffer mode: the same tensor is the past input and
 * the pinned present output, so that the operator appends in place and copies no cache. The new
 * token is the last row of the cache, written again at its place.
 */
final class OnnxPeer implements Peer {
  private final PeerWork.Size size;
  private final boolean int8;
  private final Arena arena = Arena.ofShared();
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final List<OnnxTensor> tensors = new ArrayList<>();
  private final List<Map<String, OnnxTensor>> inputs = new ArrayList<>(); // [layer]
  private final List<Map<String, OnnxTensor>> outputs = new ArrayList<>(); // [layer]
  private final MemorySegment out; // f32 [numHeads][headDim]

  OnnxPeer(PeerWork work, boolean int8) throws OrtException {
    this.size = work.size();
    this.int8 = int8;
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(size.threads());
      options.setInterOpNumThreads(1);
      session = environment.createSession(GqaModel.bytes(size, int8), options);
    }
    Heads heads = size.heads();
    long[] queryShape = {1, 1, size.queryFloats()};
    long[] tokenShape = {1, 1, size.tokenFloats()};
    long[] cacheShape = {1, heads.numKvHeads(), size.context(), heads.headDim()};
    this.out = floats(size.queryFloats());
    MemorySegment query = floats(size.queryFloats());
    query.copyFrom(MemorySegment.ofArray(work.query()));
    OnnxTensor queryTensor = tensor(query, queryShape, OnnxJavaType.FLOAT);
    OnnxTensor outTensor = tensor(out, queryShape, OnnxJavaType.FLOAT);
    OnnxTensor lengths = number(size.context() - 1);
    OnnxTensor total = number(size.context());
    MemorySegment layerFloats = int8 ? floats(size.layerFloats()) : null;
    for (int layer = 0; layer < size.layers(); layer++) {
      Map<String, OnnxTensor> in = new HashMap<>();
      Map<String, OnnxTensor> pinned = new HashMap<>();
      in.put(GqaModel.QUERY, queryTensor);
      in.put(GqaModel.LENGTHS, lengths);
      in.put(GqaModel.TOTAL, total);
      pinned.put(GqaModel.OUTPUT, outTensor);
      for (boolean keys : new boolean[] {true, false}) {
        MemorySegment token = floats(size.tokenFloats());
        if (keys) {
          work.keysByToken(layer, size.context() - 1, 1, token);
        } else {
          work.valuesByToken(layer, size.context() - 1, 1, token);
        }
        in.put(keys ? GqaModel.KEY : GqaModel.VALUE, tensor(token, tokenShape, OnnxJavaType.FLOAT));
        MemorySegment rows = int8 ? layerFloats : floats(size.layerFloats());
        if (keys) {
          work.keysByHead(layer, rows);
        } else {
          work.valuesByHead(layer, rows);
        }
        OnnxTensor cache;
        if (int8) {
          float scale = scale(rows);
          cache = tensor(quantised(rows, scale), cacheShape, OnnxJavaType.INT8);
          MemorySegment one = floats(1);
          one.set(ValueLayout.JAVA_FLOAT, 0, scale);
          in.put(
              keys ? GqaModel.KEY_SCALE : GqaModel.VALUE_SCALE,
              tensor(one, new long[] {1}, OnnxJavaType.FLOAT));
        } else {
          cache = tensor(rows, cacheShape, OnnxJavaType.FLOAT);
        }
        in.put(keys ? GqaModel.PAST_KEY : GqaModel.PAST_VALUE, cache);
        pinned.put(keys ? GqaModel.PRESENT_KEY : GqaModel.PRESENT_VALUE, cache);
      }
      inputs.add(in);
      outputs.add(pinned);
    }
  }

  private MemorySegment floats(int count) {
    return arena.allocate((long) count * Float.BYTES, 64);
  }

  private OnnxTensor number(int value) throws OrtException {
    MemorySegment one = arena.allocate(Integer.BYTES, 64);
    one.set(ValueLayout.JAVA_INT, 0, value);
    return tensor(one, new long[] {1}, OnnxJavaType.INT32);
  }

  /** A tensor over this memory; the runtime reads and writes it where it lies. */
  private OnnxTensor tensor(MemorySegment memory, long[] shape, OnnxJavaType type)
      throws OrtException {
    OnnxTensor tensor =
        OnnxTensor.createTensor(
            environment, memory.asByteBuffer().order(ByteOrder.nativeOrder()), shape, type);
    tensors.add(tensor);
    return tensor;
  }

  private static float scale(MemorySegment rows) {
    float most = 0;
    for (long at = 0; at < rows.byteSize(); at += Float.BYTES) {
      most = Math.max(most, Math.abs(rows.get(ValueLayout.JAVA_FLOAT, at)));
    }
    return most / 127;
  }

  private MemorySegment quantised(MemorySegment rows, float scale) {
    long count = rows.byteSize() / Float.BYTES;
    MemorySegment bytes = arena.allocate(count, 64);
    for (long i = 0; i < count; i++) {
      bytes.set(
          ValueLayout.JAVA_BYTE,
          i,
          (byte) Math.round(rows.getAtIndex(ValueLayout.JAVA_FLOAT, i) / scale));
    }
    return bytes;
  }

  @Override
  public void decode(int layer) {
    try (OrtSession.Result result = session.run(inputs.get(layer), outputs.get(layer))) {
      if (result.size() != outputs.get(layer).size()) {
        throw new IllegalStateException(
            "%d outputs, not %d".formatted(result.size(), outputs.get(layer).size()));
      }
    } catch (OrtException e) {
      throw new IllegalStateException(e.getMessage(), e);
    }
  }

  @Override
  public void output(float[] to) {
    MemorySegment.copy(out, ValueLayout.JAVA_FLOAT, 0, to, 0, to.length);
  }

  @Override
  public void close() {
    try {
      tensors.forEach(OnnxTensor::close);
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException(e.getMessage(), e);
    } finally {
      arena.close();
    }
  }

  @Override
  public String toString() {
    return "ONNX Runtime GroupQueryAttention" + (int8 ? ", INT8 cache" : "");
  }
}
