package io.gatun.bench.peer;

import io.gatun.attention.Team;
import io.gatun.bench.measure.Ceiling;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.work.DecodeWork;
import io.gatun.bench.work.Storage;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.ValueLayout;

/** One peer beside Gatun and the ceiling, in this process: outputs compared first, then timed. */
public final class PeerMatch {
  private static final String GATUN = "gatun";
  private static final String PEER = "peer";

  /** Layers whose outputs are compared before timing. */
  private static final int CHECKED = 2;

  /** The plain read, Gatun and the peer. */
  public static final int CONTENDERS = 3;

  private PeerMatch() {}

  /**
   * Loads, compares and times.
   *
   * @throws GatunException if the outputs differ by more than the provider's tolerance
   * @throws Exception what the peer throws
   */
  public static PeerRow run(
      PeerProvider provider, PeerWork.Size size, Contest.Effort effort, Contest.Listener listener)
      throws Exception {
    KvType type = provider.gatunType();
    try (Team team = Team.of(size.threads());
        Workers workers = new Workers(size.threads());
        DecodeWork exact = work(size, KvType.F32, team, workers)) {
      DecodeWork own = type == KvType.F32 ? exact : work(size, type, team, workers);
      PeerWork given = new PeerWork(size, exact.cache().live(), exact.query());
      try (Peer peer = provider.load(given)) {
        double difference = 0;
        for (int layer = 0; layer < Math.min(CHECKED, size.layers()); layer++) {
          difference = Math.max(difference, difference(exact, peer, layer, size));
        }
        if (!(difference <= provider.tolerance())) {
          throw new GatunException(
              "its output differs from Gatun's by %.1e of the largest value (accepted: %.0e)"
                  .formatted(difference, provider.tolerance()));
        }
        Contest contest =
            new Contest()
                .add(Ceiling.READ, own::read)
                .add(GATUN, own::decode)
                .add(PEER, index -> peer.decode(index % size.layers()));
        Contest.Result result = contest.run(effort, listener);
        return row(provider, size, type, difference, result);
      } finally {
        if (own != exact) {
          own.close();
        }
      }
    }
  }

  private static DecodeWork work(PeerWork.Size size, KvType type, Team team, Workers workers) {
    return new DecodeWork(
        size.heads(),
        type,
        size.layers(),
        size.context(),
        Storage.ANONYMOUS,
        null,
        team,
        workers,
        tokens -> {});
  }

  private static double difference(DecodeWork exact, Peer peer, int layer, PeerWork.Size size) {
    exact.decode(layer);
    float[] ours = exact.out().toArray(ValueLayout.JAVA_FLOAT);
    float[] theirs = new float[size.queryFloats()];
    peer.decode(layer);
    peer.output(theirs);
    return difference(ours, theirs);
  }

  /** Largest difference by the largest value of {@code ours}; not a number if one is not. */
  static double difference(float[] ours, float[] theirs) {
    double most = 0;
    double largest = 0;
    for (int i = 0; i < ours.length; i++) {
      most = Math.max(most, Math.abs((double) ours[i] - theirs[i]));
      largest = Math.max(largest, Math.abs(ours[i]));
    }
    return most / largest;
  }

  private static PeerRow row(
      PeerProvider provider,
      PeerWork.Size size,
      KvType type,
      double difference,
      Contest.Result result) {
    return new PeerRow(
        provider.name(),
        provider.about(),
        size.heads().toString(),
        size.context(),
        size.threads(),
        size.layers(),
        type.label(),
        2L * size.layerFloats() * Float.BYTES,
        difference,
        result.time(PEER),
        result.time(GATUN),
        result.time(Ceiling.READ),
        result.ratio(PEER, GATUN),
        result.ratio(Ceiling.READ, PEER),
        result.ratio(Ceiling.READ, GATUN),
        null);
  }
}
