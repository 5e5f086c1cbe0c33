package io.gatun.bench.peers;

import io.gatun.bench.peer.Peer;
import io.gatun.bench.peer.PeerProvider;
import io.gatun.bench.peer.PeerWork;
import io.gatun.cache.KvType;

/** ONNX Runtime with an int8 cache, set against Gatun's Q8. */
public final class OnnxInt8Provider implements PeerProvider {
  @Override
  public String name() {
    return "onnxruntime-int8";
  }

  @Override
  public String about() {
    return "ONNX Runtime 1.29.0, GroupQueryAttention, INT8 cache (a scale per tensor) in shared"
        + " buffers; beside Gatun's "
        + gatunType().label();
  }

  @Override
  public Peer load(PeerWork work) throws Exception {
    return new OnnxPeer(work, true);
  }

  @Override
  public KvType gatunType() {
    for (KvType type : KvType.values()) {
      if (type.label().equals("q8")) {
        return type;
      }
    }
    return KvType.F32;
  }

  @Override
  public double tolerance() {
    // One step of int8 with a scale per tensor of gaussian values, averaged over the context.
    return 0.1;
  }
}
