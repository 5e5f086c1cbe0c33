package io.gatun.attention;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gatun.attention.code.CodeMemory;
import java.lang.System.Logger.Level;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.util.HexFormat;

/**
 * Asks for cache lines before they are wanted, and does not wait for them.
 *
 * <p>Java has no prefetch, and a load is no substitute: it holds up what follows it in the program
 * until its line is there. So this calls 77 bytes of machine code ({@link CodeMemory}):
 *
 * <pre>
 *   offset  bytes                   x86-64, arguments as Linux passes them: rdi from, rsi to
 *   0       48 39 f7                       cmp  rdi, rsi
 *   3       73 21                          jae  second
 *   5       0f 18 0f                again: prefetcht0 [rdi]
 *   8       0f 18 4f 40                    prefetcht0 [rdi + 64]
 *   12      0f 18 8f 80 00 00 00           prefetcht0 [rdi + 128]
 *   19      0f 18 8f c0 00 00 00           prefetcht0 [rdi + 192]
 *   26      48 81 c7 00 01 00 00           add  rdi, 256
 *   33      48 39 f7                       cmp  rdi, rsi
 *   36      72 df                          jb   again
 *   38                             second: the same for rdx from, rcx to
 *   76      c3                             ret
 * </pre>
 *
 * <p>A prefetch never faults and changes nothing but time, so an address may be wrong without harm.
 * Where this is not to be had (another processor or system, native access denied, a system that
 * refuses executable pages, or {@code -Dgatun.prefetch=off}), {@link ReadAhead} reads in its place.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
public final class Prefetch {
  private static final byte[] CODE =
      HexFormat.of()
          .parseHex(
              "4839f77321"
                  + "0f180f0f184f400f188f800000000f188fc00000004881c7000100004839f772df"
                  + "4839ca7321"
                  + "0f180a0f184a400f188a800000000f188ac00000004881c2000100004839ca72df"
                  + "c3");

  private static final MethodHandle LINES = make();

  private Prefetch() {}

  /** Whether lines can be prefetched here. */
  public static boolean available() {
    return LINES != null;
  }

  /**
   * Asks for the cache lines of the addresses {@code from}, {@code from + 64}, ... below {@code to},
   * and for up to three more, since it takes four at a time.
   */
  public static void lines(long from, long to) {
    lines(from, to, 0, 0);
  }

  /** The same for two ranges, either of which may be empty. */
  static void lines(long from, long to, long secondFrom, long secondTo) {
    try {
      LINES.invokeExact(from, to, secondFrom, secondTo);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("the native call of prefetch", e);
    }
  }

  private static MethodHandle make() {
    if (System.getProperty("gatun.prefetch", "on").equals("off")) {
      return null;
    }
    try {
      return Linker.nativeLinker()
          .downcallHandle(
              CodeMemory.ofProcess().place(CODE),
              FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
              Linker.Option.critical(false));
    } catch (Throwable e) {
      System.getLogger("io.gatun.attention")
          .log(Level.DEBUG, "no prefetch: {0}; memory is read ahead instead", e.toString());
      return null;
    }
  }
}
