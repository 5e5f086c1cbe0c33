package io.gatun.bench.peers;

import io.gatun.bench.peer.Peer;
import io.gatun.bench.peer.PeerProvider;
import io.gatun.bench.peer.PeerWork;

/** Jlama. */
public final class JlamaProvider implements PeerProvider {
  @Override
  public String name() {
    return "jlama";
  }

  @Override
  public String about() {
    return "Jlama 0.8.4, its tensor operations (Panama) in the order of its CausalSelfAttention,"
        + " over pages of 8 MiB as its KvBufferCache makes them";
  }

  @Override
  public Peer load(PeerWork work) {
    return new JlamaPeer(work);
  }

  @Override
  public double tolerance() {
    return 1e-3;
  }
}
