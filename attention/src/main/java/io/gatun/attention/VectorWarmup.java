package io.gatun.attention;

import static io.gatun.attention.Lanes.CODES;
import static io.gatun.attention.Lanes.COUNT;
import static io.gatun.attention.Lanes.FLOATS;
import static io.gatun.attention.Lanes.INTS;
import static io.gatun.attention.Lanes.SHORTS;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.I2B;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.I2S;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.MAX;
import static jdk.incubator.vector.VectorOperators.MIN;
import static jdk.incubator.vector.VectorOperators.NE;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_S2I;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Uses the vector operations of the kernels many times over before a kernel is compiled, so that no
 * kernel's vectors become objects.
 *
 * <p>Design note: the Vector API is Java code that C2 inlines into each kernel, with what it has
 * seen of that code's branches and types so far. If compiled code then meets something else (an
 * operation whose table entry is not filled yet, a second kind of shift), it is given up, and C2
 * counts that against the method of the JDK for good. A kernel inlines some hundred operations, and
 * where enough such counts come together, the JDK's error paths are compiled as well and some vectors
 * stay objects: 80 or 160 bytes for every 4 keys, seen for all types at once in a process that had
 * met the operations in an unlucky order. KERNEL.md, section 6, has what was found. So the code of
 * the JDK is to meet all there is early on: a few thousand rounds, about a second, in a thread of its
 * own, before the first kernel is handed out. (Beside the kernels' first calls they came too late
 * once the code around these was compiled sooner: 2 runs of 4 of EarlyCompilationTest.)
 */
final class VectorWarmup {
  private static final int ROUNDS = 3000;
  private static final int BYTES = 64;

  /** How long a first caller waits at most: on a machine that is busy the rest is done meanwhile. */
  private static final int MOST_SECONDS = 5;

  private final float[] floats = new float[COUNT];

  /** What came out, so that nothing is left out. */
  private float sink;

  private VectorWarmup() {}

  /**
   * Has the rounds done before it returns, unless they take longer than {@link #MOST_SECONDS}; the
   * first call in a process waits, about a second, others do not.
   */
  static void finish() {
    try {
      Started.THREAD.join(Duration.ofSeconds(MOST_SECONDS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The thread, which starts with the first use of this class. */
  private static final class Started {
    static final Thread THREAD =
        Thread.ofPlatform().name("gatun-vector-warmup").daemon().start(new VectorWarmup()::rounds);

    private Started() {}
  }

  private void rounds() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(BYTES);
      for (int i = 0; i < ROUNDS; i++) {
        loads(memory);
        onFloats();
        onInts();
        conversions();
      }
    }
  }

  private void loads(MemorySegment memory) {
    sink += FloatVector.fromMemorySegment(FLOATS, memory, 0, LITTLE_ENDIAN).lane(0);
    sink += IntVector.fromMemorySegment(INTS, memory, 0, LITTLE_ENDIAN).lane(0);
    sink += ShortVector.fromMemorySegment(SHORTS, memory, 0, LITTLE_ENDIAN).lane(0);
    sink += ByteVector.fromMemorySegment(CODES, memory, 0, LITTLE_ENDIAN).lane(0);
    for (int bits = 64; bits <= FLOATS.vectorBitSize(); bits *= 2) {
      // Scales of a few quantised rows.
      VectorSpecies<Float> scales = VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
      sink +=
          ((FloatVector)
                  FloatVector.fromMemorySegment(scales, memory, 0, LITTLE_ENDIAN)
                      .reinterpretShape(FLOATS, 0))
              .lane(0);
    }
  }

  private void onFloats() {
    FloatVector a = FloatVector.broadcast(FLOATS, 1f);
    FloatVector b = FloatVector.fromArray(FLOATS, floats, 0);
    VectorMask<Float> mask = a.compare(LT, b).or(a.compare(GT, 0f)).or(b.compare(NE, 1f));
    FloatVector c = a.add(b).mul(2f).mul(b).sub(a).sub(1f).add(1f).div(a).fma(a, b);
    c = c.blend(b, mask).blend(1f, mask).max(b).min(b).abs().rearrange(Lanes.SWAP_0);
    c.intoArray(floats, 0);
    sink += c.reduceLanes(MAX) + c.reduceLanes(MIN) + (mask.anyTrue() ? 1 : 0);
  }

  private void onInts() {
    IntVector a = FloatVector.fromArray(FLOATS, floats, 0).reinterpretAsInts();
    a = a.lanewise(LSHL, 1).lanewise(LSHR, 1).lanewise(ASHR, 1).and(1).and(a).or(a).add(a).add(1);
    a = a.sub(1).max(0).min(15);
    if (COUNT == 16) {
      a = a.selectFrom(a);
    }
    sink += a.reinterpretAsFloats().lane(0);
  }

  private void conversions() {
    IntVector ints = IntVector.broadcast(INTS, 1);
    ShortVector shorts = ShortVector.broadcast(SHORTS, 1);
    ByteVector bytes = ByteVector.broadcast(CODES, 1);
    sink += ((FloatVector) ints.convert(I2F, 0)).lane(0);
    sink += ((IntVector) shorts.convertShape(ZERO_EXTEND_S2I, INTS, 0)).lane(0);
    sink += ((IntVector) bytes.convertShape(ZERO_EXTEND_B2I, INTS, 0)).lane(0);
    sink += ((FloatVector) bytes.convertShape(B2F, FLOATS, 0)).lane(0);
    sink += ((ShortVector) ints.convertShape(I2S, SHORTS, 0)).lane(0);
    sink += ((ByteVector) ints.convertShape(I2B, CODES, 0)).lane(0);
  }
}
