package io.gatun.attention;

import io.gatun.attention.code.MachineCode;
import io.gatun.cache.KvLayout;
import java.lang.System.Logger.Level;

/**
 * The inner loops, in one of three makes: in machine code, on the Vector API, or in plain Java. Which
 * one is settled once per process, here.
 */
interface Kernels {
  /** Query rows that a kernel takes at a time. */
  int ROWS = 4;

  /** Tokens whose scores against {@link #ROWS} rows stand side by side in one vector. */
  int tokensPerVector();

  /**
   * Whether the kernels of values ask for those to come as evenly as the kernels of keys do; the
   * others ask for most of a tile's values while its keys are worked on.
   */
  default boolean asksForValues() {
    return false;
  }

  /** What does the work, for people to read. */
  String description();

  /** The kernel for the keys of this layout. */
  KeyKernel keys(KvLayout layout);

  /** The kernel for the values of this layout. */
  ValueKernel values(KvLayout layout);

  /** The softmax for weights that this kernel of values takes. */
  SoftmaxKernel softmax(ValueKernel values);

  /**
   * All three in one, or null if there is none.
   *
   * @param groupHeads query heads of a group: the rows that are taken most often
   */
  default TileKernel tile(KvLayout layout, KeyKernel keys, ValueKernel values, int groupHeads) {
    return null;
  }

  /**
   * Those that this process uses: the first that are to be had, from what {@link
   * MachineCode#KERNELS_PROPERTY} says on.
   */
  static Kernels best() {
    return Holder.BEST;
  }

  /** Settles the choice when it is first asked for. */
  final class Holder {
    private static final Kernels BEST = choose();

    private Holder() {}

    private static Kernels choose() {
      String asked = System.getProperty(MachineCode.KERNELS_PROPERTY, "machine");
      if (asked.equals("plain")) {
        return new ScalarKernels();
      }
      if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
        return withoutVectors(
            "start java with --add-modules jdk.incubator.vector to use vector instructions");
      }
      if (!VectorKernels.supported()) {
        return withoutVectors("the machine's vectors are not of 128 bits or more");
      }
      if (asked.equals("machine")) {
        try {
          return new MachineKernels();
        } catch (IllegalStateException e) {
          log(Level.DEBUG, "attention runs on the Vector API: {0}", e.getMessage());
        }
      } else if (!asked.equals("vector")) {
        log(
            Level.WARNING,
            "-D{0}={1} is none of machine, vector, plain; attention runs on the Vector API",
            MachineCode.KERNELS_PROPERTY,
            asked);
      }
      return new VectorKernels();
    }

    private static Kernels withoutVectors(String why) {
      log(Level.WARNING, "attention runs in plain Java, many times slower: {0}", why);
      return new ScalarKernels();
    }

    private static void log(Level level, String message, Object... arguments) {
      System.getLogger("io.gatun.attention").log(level, message, arguments);
    }
  }
}
