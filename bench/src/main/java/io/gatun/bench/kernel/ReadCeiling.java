package io.gatun.bench.kernel;

import io.gatun.attention.Team;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * A plain vectorised read of all key and value bytes of one layer, each thread its share: what no
 * decode step can be faster than, from memory.
 */
public final class ReadCeiling {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final int BYTES = INTS.vectorByteSize();

  private final KvView view;
  private final Team team;
  private final Team.Task task = this::part;
  private final int kvHeads;
  private int layer;

  /** What was read, so that the reads cannot be left out. */
  private volatile int sink;

  /** A read of this view's layers by this team. */
  public ReadCeiling(KvView view, Team team) {
    this.view = view;
    this.team = team;
    this.kvHeads = view.layout().shape().kvHeads();
  }

  /** Reads one layer. */
  public void read(int newLayer) {
    layer = newLayer;
    team.run(view.runs() * kvHeads, task);
  }

  private void part(int number, int worker) {
    int run = number / kvHeads;
    int head = number % kvHeads;
    KvLayout layout = view.layout();
    int rows = view.runTokens(run);
    int sum =
        read(view.keys(run), layout.keyOffset(layer, head, 0), (long) rows * layout.keyRowBytes());
    if (!layout.shape().valuesInKeys()) {
      sum +=
          read(
              view.values(run),
              layout.valueOffset(layer, head, 0),
              (long) rows * layout.valueRowBytes());
    }
    if (sum == 0x1234567) {
      sink = sum;
    }
  }

  private static int read(MemorySegment from, long offset, long bytes) {
    IntVector a = IntVector.zero(INTS);
    IntVector b = a;
    IntVector c = a;
    IntVector d = a;
    long i = 0;
    for (; i + 4 * BYTES <= bytes; i += 4 * BYTES) {
      a = a.or(load(from, offset + i));
      b = b.or(load(from, offset + i + BYTES));
      c = c.or(load(from, offset + i + 2 * BYTES));
      d = d.or(load(from, offset + i + 3 * BYTES));
    }
    for (; i + BYTES <= bytes; i += BYTES) {
      a = a.or(load(from, offset + i));
    }
    return a.or(b).or(c.or(d)).reduceLanes(VectorOperators.OR);
  }

  private static IntVector load(MemorySegment from, long offset) {
    return IntVector.fromMemorySegment(INTS, from, offset, ByteOrder.LITTLE_ENDIAN);
  }

  /** What the last odd read found; of no use but to keep the reads. */
  public int sink() {
    return sink;
  }
}
