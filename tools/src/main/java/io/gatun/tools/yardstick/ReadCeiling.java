package io.gatun.tools.yardstick;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static jdk.incubator.vector.VectorOperators.XOR;

import io.gatun.attention.Team;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The yardstick of everything that streams: how fast this process reads given bytes, when it does
 * nothing but load them into vector registers and fold them together. The bytes are cut into pieces
 * that the threads take as they come, so that a thread which the host slows down does not hold the
 * others up. (A kernel that splits its work evenly may be slower than this for that alone.) Without
 * the Vector API module it reads eight bytes at a time, which is slower where one core is fast.
 *
 * <p>Thread rules: one caller at a time.
 */
public final class ReadCeiling {
  private static final boolean VECTORS =
      ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

  /** Bytes of a piece: large beside what taking one costs, small beside what is read. */
  private static final long PIECE = 256 << 10;

  private final MemorySegment[] pieces;
  private final long bytes;
  private final Consumer<Workers.Share> threads;
  private final Workers.Share share = this::readPieces;
  private final AtomicLong next = new AtomicLong();
  private final AtomicLong sink = new AtomicLong();

  /**
   * A read of these segments, in this order.
   *
   * @param workers the threads that read
   */
  public ReadCeiling(List<MemorySegment> segments, Workers workers) {
    this(segments, workers::run);
  }

  /**
   * The same by a team, where only its threads may be counted. Handing work to sleeping threads is
   * part of it then.
   */
  public ReadCeiling(List<MemorySegment> segments, Team team) {
    this(segments, share -> team.run(team.threads(), (task, worker) -> share.run(worker)));
  }

  private ReadCeiling(List<MemorySegment> segments, Consumer<Workers.Share> threads) {
    List<MemorySegment> cut = new ArrayList<>();
    long sum = 0;
    for (MemorySegment segment : segments) {
      for (long at = 0; at < segment.byteSize(); at += PIECE) {
        cut.add(segment.asSlice(at, Math.min(PIECE, segment.byteSize() - at)));
      }
      sum += segment.byteSize();
    }
    this.pieces = cut.toArray(MemorySegment[]::new);
    this.bytes = sum;
    this.threads = threads;
  }

  /** Bytes that one {@link #read} reads. */
  public long bytes() {
    return bytes;
  }

  /** Reads all bytes once. */
  public void read() {
    next.set(0);
    threads.accept(share);
  }

  private void readPieces(int worker) {
    long folded = 0;
    for (long i = next.getAndIncrement(); i < pieces.length; i = next.getAndIncrement()) {
      folded ^= fold(pieces[(int) i]);
    }
    sink.set(folded);
  }

  /** All bytes of a segment, folded together by exclusive or. */
  static long fold(MemorySegment from) {
    long folded = VECTORS ? Vectors.fold(from) : 0;
    long at = VECTORS ? Vectors.end(from) : 0;
    for (; at + 8 <= from.byteSize(); at += 8) {
      folded ^= from.get(JAVA_LONG_UNALIGNED, at);
    }
    for (; at < from.byteSize(); at++) {
      folded ^= Byte.toUnsignedLong(from.get(JAVA_BYTE, at)) << 8 * (at & 7);
    }
    return folded;
  }

  /** Whole turns of eight vectors: one load and one operation each. */
  private static final class Vectors {
    private static final VectorSpecies<Long> LONGS = LongVector.SPECIES_PREFERRED;

    /** Vectors loaded per turn of the loop. */
    private static final int UNROLL = 8;

    /** Bytes that fill whole turns. */
    static long end(MemorySegment from) {
      return from.byteSize() - from.byteSize() % (UNROLL * LONGS.vectorByteSize());
    }

    static long fold(MemorySegment from) {
      ByteOrder order = ByteOrder.nativeOrder();
      long width = LONGS.vectorByteSize();
      long end = end(from);
      LongVector a = LongVector.zero(LONGS);
      LongVector b = a;
      LongVector c = a;
      LongVector d = a;
      for (long at = 0; at < end; at += UNROLL * width) {
        a = a.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at, order));
        b = b.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at + width, order));
        c = c.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at + 2 * width, order));
        d = d.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at + 3 * width, order));
        a = a.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at + 4 * width, order));
        b = b.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at + 5 * width, order));
        c = c.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at + 6 * width, order));
        d = d.lanewise(XOR, LongVector.fromMemorySegment(LONGS, from, at + 7 * width, order));
      }
      return a.lanewise(XOR, b).lanewise(XOR, c.lanewise(XOR, d)).reduceLanes(XOR);
    }
  }
}
