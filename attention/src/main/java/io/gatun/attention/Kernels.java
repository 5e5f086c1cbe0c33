package io.gatun.attention;

import io.gatun.cache.KvType;
import java.lang.System.Logger.Level;

/**
 * The inner loops, in one of two makes: on the Vector API or in plain Java. Which one is settled
 * once per process, here.
 */
interface Kernels {
  /** Query rows that a kernel takes at a time. */
  int ROWS = 4;

  /** Tokens whose scores against {@link #ROWS} rows stand side by side in one vector. */
  int tokensPerVector();

  /** What does the work, for people to read. */
  String description();

  /** The kernel for keys of this type and width. */
  KeyKernel keys(KvType type, int keyDim);

  /**
   * The kernel for values of this type and width.
   *
   * @param rowBytes from one row to the next; more than the row takes where values lie in the keys
   */
  ValueKernel values(KvType type, int valueDim, int rowBytes);

  /** The softmax. */
  SoftmaxKernel softmax();

  /** Those that this process uses. */
  static Kernels best() {
    return Holder.BEST;
  }

  /** Settles the choice when it is first asked for. */
  final class Holder {
    private static final Kernels BEST = choose();

    private Holder() {}

    private static Kernels choose() {
      if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
        return withoutVectors(
            "start java with --add-modules jdk.incubator.vector to use vector instructions");
      }
      if (!VectorKernels.supported()) {
        return withoutVectors("the machine's vectors are not of 128 bits or more");
      }
      return new VectorKernels();
    }

    private static Kernels withoutVectors(String why) {
      System.getLogger("io.gatun.attention")
          .log(Level.WARNING, "attention runs in plain Java, many times slower: {0}", why);
      return new ScalarKernels();
    }
  }
}
