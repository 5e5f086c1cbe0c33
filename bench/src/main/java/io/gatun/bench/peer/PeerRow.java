package io.gatun.bench.peer;

import io.gatun.bench.measure.Summary;

/**
 * One line of {@code bench peers}: a peer beside Gatun and the ceiling, in one process.
 *
 * @param peer its name
 * @param about version, layout, what is called
 * @param heads numHeads/numKvHeads/headDim
 * @param context tokens that the query attends to
 * @param threads threads of everybody
 * @param layers layers that rotate
 * @param gatunType element type of Gatun's cache
 * @param stepBytes bytes of K and V of one layer in F32
 * @param difference largest difference of the outputs, as a share of the largest output
 * @param peerNanos nanoseconds of the peer's step
 * @param gatunNanos nanoseconds of Gatun's step
 * @param ceilingNanos nanoseconds of the plain read of Gatun's bytes
 * @param timesGatun peer's time by Gatun's, round by round
 * @param peerShare ceiling's time by the peer's
 * @param gatunShare ceiling's time by Gatun's
 * @param reason why it did not run; null if it did
 */
public record PeerRow(
    String peer,
    String about,
    String heads,
    long context,
    int threads,
    int layers,
    String gatunType,
    long stepBytes,
    double difference,
    Summary peerNanos,
    Summary gatunNanos,
    Summary ceilingNanos,
    Summary timesGatun,
    Summary peerShare,
    Summary gatunShare,
    String reason) {
  /** The line of a peer that did not run. */
  public static PeerRow failed(PeerProvider provider, PeerWork.Size size, String reason) {
    return new PeerRow(
        provider.name(),
        provider.about(),
        size.heads().toString(),
        size.context(),
        size.threads(),
        size.layers(),
        provider.gatunType().label(),
        2L * size.layerFloats() * Float.BYTES,
        0,
        null,
        null,
        null,
        null,
        null,
        null,
        reason);
  }

  /** Whether it was measured. */
  public boolean ran() {
    return reason == null;
  }
}
