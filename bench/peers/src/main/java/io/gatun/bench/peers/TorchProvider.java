package io.gatun.bench.peers;

import io.gatun.bench.peer.Peer;
import io.gatun.bench.peer.PeerProvider;
import io.gatun.bench.peer.PeerWork;

/** libtorch. */
public final class TorchProvider implements PeerProvider {
  @Override
  public String name() {
    return "libtorch";
  }

  @Override
  public String about() {
    return "libtorch 2.10.0, scaled_dot_product_attention, query reshaped to"
        + " [1, kvHeads, group, dim] so that a KV head is read for its whole group";
  }

  @Override
  public Peer load(PeerWork work) {
    return new TorchPeer(work);
  }
}
