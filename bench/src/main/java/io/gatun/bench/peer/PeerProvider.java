package io.gatun.bench.peer;

import io.gatun.cache.KvType;
import java.util.List;

/** Makes a {@link Peer}; found by {@link java.util.ServiceLoader}. */
public interface PeerProvider {
  /** A short name without blanks, for {@code --peers} and the table. */
  String name();

  /** Who and how, in one line: version, layout, what is called. */
  String about();

  /**
   * Copies the work into a peer of its own.
   *
   * @throws Exception if it cannot run here; the message becomes the reason in the table
   */
  Peer load(PeerWork work) throws Exception;

  /** Bytes of Java heap that it needs, beyond a few hundred MiB. */
  default long heapBytes(PeerWork.Size size) {
    return 0;
  }

  /** JVM flags that it needs beside Gatun's own. */
  default List<String> jvmFlags() {
    return List.of();
  }

  /** How Gatun stores what it is set against: the nearest that it has. */
  default KvType gatunType() {
    return KvType.F32;
  }

  /** Largest difference from the F32 result, as a share of the largest output, that is accepted. */
  default double tolerance() {
    return 1e-4;
  }
}
