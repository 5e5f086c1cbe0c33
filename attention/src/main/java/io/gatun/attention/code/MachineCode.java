package io.gatun.attention.code;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gatun.cache.KvType;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.Map;

/**
 * One loop of machine code for one row format. Made once for a process, never given back.
 *
 * <p>Design note: what C2 makes of these loops takes 1.5 to 2 times as long as they have to, reads
 * ahead only through calls, and takes seconds to come about (attention/KERNEL.md, section 12). The
 * sums are those of the Vector API's kernels, bit for bit, so nothing depends on which is used.
 *
 * <p>Thread rules: immutable; any thread.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
public final class MachineCode {
  private record Key(boolean keys, KvType type, int dim, int rowBytes, int scaleBytes, int rows) {}

  /** Floats of a vector. */
  public static final int LANES = Decoder.LANES;

  private static final Map<Key, MachineCode> MADE = new HashMap<>();

  /**
   * A call that does not tell the JVM of it, which is cheap, and may be given arrays: so it has to be
   * short, and a tile of 128 tokens is.
   */
  private static final MethodHandle RUN =
      Linker.nativeLinker()
          .downcallHandle(
              FunctionDescriptor.of(
                  JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG,
                  JAVA_LONG, JAVA_LONG, JAVA_LONG),
              Linker.Option.critical(true));

  private static boolean guarded;

  private final MemorySegment code;

  private MachineCode(MemorySegment code) {
    this.code = code;
  }

  /** Whether rows of this width can be worked on. */
  public static boolean fits(KvType type, int dim) {
    return Decoder.fits(type, dim);
  }

  /**
   * Scores of query rows against keys of this format.
   *
   * @param rows query rows that count, 1 or 4
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static MachineCode ofKeys(KvType type, int dim, int rowBytes, int scaleBytes, int rows) {
    return of(new Key(true, type, dim, rowBytes, scaleBytes, rows));
  }

  /** Weighted sums of values of this format; as {@link #ofKeys}. */
  public static MachineCode ofValues(KvType type, int dim, int rowBytes, int scaleBytes, int rows) {
    return of(new Key(false, type, dim, rowBytes, scaleBytes, rows));
  }

  private static MachineCode of(Key key) {
    synchronized (MADE) {
      return MADE.computeIfAbsent(key, MachineCode::make);
    }
  }

  private static MachineCode make(Key key) {
    CodeMemory memory = CodeMemory.ofProcess();
    if (!guarded) {
      FaultGuard.install(memory);
      guarded = true;
    }
    byte[] code =
        key.keys
            ? KeyCode.of(key.type, key.dim, key.rowBytes, key.scaleBytes, key.rows)
            : ValueCode.of(key.type, key.dim, key.rowBytes, key.scaleBytes, key.rows);
    return new MachineCode(memory.place(code));
  }

  /**
   * Works through some tokens.
   *
   * <p>The caller has seen to it that all that is read and written lies within the segments: nothing
   * checks it here. Lines to ask for are given as the address {@code aheadFrom} of the row that comes
   * so many tokens later than the first, and the last such address, from which on it stands still.
   *
   * @param memory of keys or values, which stays open during the call
   * @param offset of the first row in it
   * @param scaleOffset of its scales in it
   * @param in query rows, or weights: an array's segment
   * @param inAt bytes into it
   * @param out scores, or sums: an array's segment
   * @param outAt bytes into it
   * @throws InternalError if the memory was not there: a mapped file was cut short, or its disk fails
   */
  public void run(
      MemorySegment memory,
      long offset,
      long scaleOffset,
      MemorySegment in,
      long inAt,
      MemorySegment out,
      long outAt,
      long tokens,
      long aheadFrom,
      long aheadLast) {
    int result;
    try {
      result =
          (int)
              RUN.invokeExact(
                  code,
                  memory,
                  offset,
                  scaleOffset,
                  in,
                  inAt,
                  out,
                  outAt,
                  tokens,
                  aheadFrom,
                  aheadLast);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("the native call of a kernel", e);
    }
    if (result != Frame.DONE) {
      throw new InternalError(
          "keys or values could not be read from their memory: a mapped file was cut short by"
              + " another program, or its disk fails");
    }
  }
}
