package io.gatun.bench.measure;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static jdk.incubator.vector.VectorOperators.XOR;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The yardstick of everything that streams: how fast this process reads given bytes, when it does
 * nothing but load them into vector registers and fold them together. The bytes are cut into pieces
 * that the threads take as they come, so that a thread which the host slows down does not hold the
 * others up. (A kernel that splits its work evenly may be slower than this for that alone.)
 *
 * <p>Thread rules: one caller at a time.
 */
public final class ReadCeiling {
  private static final VectorSpecies<Long> LONGS = LongVector.SPECIES_PREFERRED;

  /** Bytes of a piece: large beside what taking one costs, small beside what is read. */
  private static final long PIECE = 256 << 10;

  /** Vectors loaded per turn of the loop. */
  private static final int UNROLL = 8;

  private final MemorySegment[] pieces;
  private final long bytes;
  private final Workers workers;
  private final AtomicLong next = new AtomicLong();
  private final AtomicLong sink = new AtomicLong();

  /**
   * A read of these segments, in this order.
   *
   * @param workers the threads that read
   */
  public ReadCeiling(List<MemorySegment> segments, Workers workers) {
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
    this.workers = workers;
  }

  /** Bytes that one {@link #read} reads. */
  public long bytes() {
    return bytes;
  }

  /** Reads all bytes once. */
  public void read() {
    next.set(0);
    workers.run(this::readPieces);
  }

  private void readPieces(int worker) {
    long folded = 0;
    for (long i = next.getAndIncrement(); i < pieces.length; i = next.getAndIncrement()) {
      folded ^= fold(pieces[(int) i]);
    }
    sink.set(folded);
  }

  /** All bytes of a segment, folded together by exclusive or: one load and one operation each. */
  static long fold(MemorySegment from) {
    ByteOrder order = ByteOrder.nativeOrder();
    long width = LONGS.vectorByteSize();
    long end = from.byteSize() - from.byteSize() % (UNROLL * width);
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
    long folded = a.lanewise(XOR, b).lanewise(XOR, c.lanewise(XOR, d)).reduceLanes(XOR);
    long at = end;
    for (; at + 8 <= from.byteSize(); at += 8) {
      folded ^= from.get(JAVA_LONG_UNALIGNED, at);
    }
    for (; at < from.byteSize(); at++) {
      folded ^= Byte.toUnsignedLong(from.get(JAVA_BYTE, at)) << 8 * (at & 7);
    }
    return folded;
  }
}
