package io.gatun.attention;

import io.gatun.cache.KvLayout;
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

  /** The kernel for the keys of this layout. */
  KeyKernel keys(KvLayout layout);

  /** The kernel for the values of this layout. */
  ValueKernel values(KvLayout layout);

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
