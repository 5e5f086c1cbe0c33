package io.gatun.bench.peers;

import io.gatun.bench.peer.Peer;
import io.gatun.bench.peer.PeerProvider;
import io.gatun.bench.peer.PeerWork;

/** ONNX Runtime with a float cache. */
public final class OnnxProvider implements PeerProvider {
  @Override
  public String name() {
    return "onnxruntime";
  }

  @Override
  public String about() {
    return "ONNX Runtime 1.29.0, GroupQueryAttention, float cache in shared buffers";
  }

  @Override
  public Peer load(PeerWork work) throws Exception {
    return new OnnxPeer(work, false);
  }
}
