package io.gatun.tools.yardstick;

import io.gatun.attention.code.MultiplyAdds;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The yardstick of everything that computes: f32 fused multiply-adds per second, out of registers,
 * in chains enough to hide the latency of each. One multiply-add counts as two operations. Where it
 * is to be had, machine code ({@link MultiplyAdds}): on an Intel Xeon C2's loop reached half of it.
 *
 * <p>Thread rules: one caller at a time.
 */
public final class FmaPeak {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  /** Multiply-adds that are under way at once: two ports with a latency of four or five cycles. */
  private static final int CHAINS = 12;

  private static final int TURNS = 20_000;

  /**
   * Pieces per thread of a usual run, about a twentieth of a second: where the host takes a thread
   * away for some milliseconds, the other one takes its pieces, and little is waited for.
   */
  public static final int PIECES = 800;

  private static final boolean MACHINE_CODE = MultiplyAdds.available(FLOATS.length());

  private final Workers workers;
  private final int pieces;
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicLong sink = new AtomicLong();

  /** A measure over these threads, with so many pieces of work for each. */
  public FmaPeak(Workers workers, int piecesPerThread) {
    this.workers = workers;
    this.pieces = Math.multiplyExact(piecesPerThread, workers.threads());
  }

  /** Floating-point operations of one {@link #run}. */
  public double operations() {
    return pieces
        * (MACHINE_CODE ? MultiplyAdds.operations(TURNS) : 2.0 * CHAINS * TURNS * FLOATS.length());
  }

  /** Computes once. */
  public void run() {
    next.set(0);
    workers.run(worker -> {
      while (next.getAndIncrement() < pieces) {
        if (MACHINE_CODE) {
          MultiplyAdds.run(TURNS);
        } else {
          sink.set(Float.floatToRawIntBits(chains(worker)));
        }
      }
    });
  }

  private static float chains(int seed) {
    // What changes is what is added to: the instruction writes over that operand.
    FloatVector m = FloatVector.broadcast(FLOATS, 0.999f);
    FloatVector n = FloatVector.broadcast(FLOATS, 0.001f);
    FloatVector a = FloatVector.broadcast(FLOATS, seed);
    FloatVector b = a.add(1);
    FloatVector c = a.add(2);
    FloatVector d = a.add(3);
    FloatVector e = a.add(4);
    FloatVector f = a.add(5);
    FloatVector g = a.add(6);
    FloatVector h = a.add(7);
    FloatVector i = a.add(8);
    FloatVector j = a.add(9);
    FloatVector k = a.add(10);
    FloatVector l = a.add(11);
    for (int turn = 0; turn < TURNS; turn++) {
      a = m.fma(n, a);
      b = m.fma(n, b);
      c = m.fma(n, c);
      d = m.fma(n, d);
      e = m.fma(n, e);
      f = m.fma(n, f);
      g = m.fma(n, g);
      h = m.fma(n, h);
      i = m.fma(n, i);
      j = m.fma(n, j);
      k = m.fma(n, k);
      l = m.fma(n, l);
    }
    FloatVector sum = a.add(b).add(c).add(d).add(e).add(f);
    return sum.add(g).add(h).add(i).add(j).add(k).add(l).lane(0);
  }
}
