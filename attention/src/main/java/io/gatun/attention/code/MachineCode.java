package io.gatun.attention.code;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.gatun.attention.code.Assembler.Condition;
import io.gatun.attention.code.Assembler.Label;
import io.gatun.attention.code.Call.Field;
import io.gatun.cache.KvType;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Machine code for one row format. Made once for a process, never given back.
 *
 * <p>Design note: what C2 makes of these loops takes 1.5 to 2 times as long as they have to, reads
 * ahead only through calls, and takes seconds to come about (attention/KERNEL.md, section 12). The
 * sums are those of the Vector API's kernels, bit for bit, so nothing depends on which is used.
 *
 * <p>Thread rules: immutable; any thread.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
public final class MachineCode {
  /** Widest rows: their loops are written out, and 8 of them, 16 with two blocks, are kept on the stack as floats. */
  private static final int MOST_DIM = 1024;

  /** Property that says which kernels are to be used: {@code machine}, {@code vector}, {@code plain}. */
  public static final String KERNELS_PROPERTY = "gatun.kernels";

  /** Floats of a vector. */
  public static final int LANES = Decoder.LANES;

  /** Blocks of rows that {@link #ofBlocks} is to be called with at least. */
  public static final int LEAST_BLOCKS = BlocksCode.LEAST_BLOCKS;

  /** Rows of a block. */
  private static final int BLOCK_ROWS = 4;

  private static final Map<Object, MachineCode> MADE = new HashMap<>();

  /** Made when code is first run, not before {@link #check} has seen that native calls are allowed. */
  private static final class Native {
    /**
     * A call that does not tell the JVM of it, which is cheap, and may be given arrays: so it has to
     * be short, and what callers give it is.
     */
    private static final MethodHandle RUN =
        Linker.nativeLinker()
            .downcallHandle(
                FunctionDescriptor.of(
                    JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS),
                Linker.Option.critical(true));

    private Native() {}
  }

  private static boolean guarded;

  private final MemorySegment code;

  private MachineCode(MemorySegment code) {
    this.code = code;
  }

  private record Keys(RowCode keys, int rows) {}

  private record Values(RowCode values, int rows) {}

  private record Tiles(RowCode keys, RowCode values, int rows, int sharers) {}

  private record TwoBlocks(RowCode keys, RowCode values, int rows) {}

  private record Blocks(RowCode keys, RowCode values) {}

  /** Whether rows of this width can be worked on. */
  public static boolean fits(KvType type, int dim) {
    return dim <= MOST_DIM && Decoder.fits(type, dim);
  }

  /**
   * Scores of query rows against keys.
   *
   * @param rows query rows that count, 1 to 4
   * @throws IllegalStateException if machine code is not to be had here; the message says why
   */
  public static MachineCode ofKeys(RowCode keys, int rows) {
    return made(
        new Keys(keys, rows),
        a -> {
          KeyCode code = new KeyCode(a, keys, rows, 1);
          Frame.enter(a, code.scratch());
          code.writeBeginning();
          code.write();
        });
  }

  /** Values times weights, added to sums; as {@link #ofKeys}. */
  public static MachineCode ofValues(RowCode values, int rows) {
    return made(
        new Values(values, rows),
        a -> {
          Frame.enter(a, ValueCode.scratch());
          new ValueCode(a, values, rows, 1, false, 0).write();
        });
  }

  /**
   * All of a tile that every row sees in whole: scores, the online softmax, and the tile's own sum of
   * weighted values, which is then added to the sums; and the same for tiles that follow it in the
   * same memory. As {@link #ofKeys}.
   *
   * @param sharers how many blocks of rows share the asking for what comes next; more than one take
   *     each tile in one after the other, be it in one call or in several
   * @param weightScale what weights are multiplied with before the values come to them
   * @param tileTokens tokens of a tile, where there are several
   * @param splitTiles tiles of a split, of which one call works through several, where no blocks share
   */
  public static MachineCode ofTiles(
      RowCode keys,
      RowCode values,
      int rows,
      int sharers,
      float weightScale,
      Power2 power,
      int tileTokens,
      int splitTiles) {
    return made(
        new Tiles(keys, values, rows, sharers),
        a -> {
          KeyCode scores = new KeyCode(a, keys, rows, sharers);
          int vectors = new Decoder(values).vectors();
          ValueCode sums = new ValueCode(a, values, rows, sharers, true, scores.scratch());
          Frame.enter(a, scores.scratch() + sums.sumsScratch());
          Runnable tile =
              () -> {
                scores.write();
                new SoftmaxCode(a, power, vectors, rows, weightScale, true, false).write();
                sums.write();
              };
          Label next = new Label();
          if (sharers == 1) {
            scores.writeBeginning();
            a.bind(next);
            tile.run();
          } else {
            a.bind(next);
            overBlocks(
                a,
                keys,
                values,
                () -> {
                  scores.writeBeginning();
                  tile.run();
                });
          }
          overTiles(a, keys, values, tileTokens, next);
          if (sharers == 1) {
            new SplitEndCode(a, rows, vectors).write(splitTiles, next);
          }
        });
  }

  /**
   * The same as {@link #ofTiles} for two blocks of rows at once: what was read from memory meets both
   * while it is in the first cache. Queries, state, and sums of the second follow those of the first; each has
   * scores for a tile.
   *
   * @param rows query rows that count, 5 to 8
   */
  public static MachineCode ofTwoBlocks(
      RowCode keys,
      RowCode values,
      int rows,
      float weightScale,
      Power2 power,
      int tileTokens,
      int splitTiles) {
    return made(
        new TwoBlocks(keys, values, rows),
        a -> {
          int scoreBytes = tileTokens * BLOCK_ROWS * Float.BYTES;
          int vectors = new Decoder(values).vectors();
          KeyCode scores = KeyCode.ofTwo(a, keys, rows, scoreBytes);
          ValueCode sums = ValueCode.ofTwo(a, values, rows, scores.scratch(), scoreBytes);
          Frame.enter(a, scores.scratch() + sums.sumsScratch());
          scores.writeBeginning();
          Label next = new Label();
          a.bind(next);
          scores.write();
          new SoftmaxCode(a, power, vectors, BLOCK_ROWS, weightScale, true, false).write();
          toBlock(a, 1, scoreBytes, vectors);
          new SoftmaxCode(a, power, vectors, rows - BLOCK_ROWS, weightScale, false, false).write();
          toBlock(a, -1, scoreBytes, vectors);
          sums.write();
          overTiles(a, keys, values, tileTokens, next);
          new SplitEndCode(a, rows, vectors).write(splitTiles, next);
        });
  }

  /** Moves scores, state and sums on by a block, or back. */
  private static void toBlock(Assembler a, int blocks, int scoreBytes, int valueVectors) {
    a.addImmediate(Call.at(Frame.CALL, Field.SCORES), blocks * scoreBytes);
    a.addImmediate(Call.at(Frame.CALL, Field.STATE), blocks * 3 * Decoder.BYTES);
    a.addImmediate(
        Call.at(Frame.CALL, Field.SUMS), blocks * BLOCK_ROWS * valueVectors * Decoder.BYTES);
  }

  /** Writes the end of a loop over tiles. */
  private static void overTiles(
      Assembler a, RowCode keys, RowCode values, int tileTokens, Label next) {
    a.addImmediate(Call.at(Frame.CALL, Field.KEY), tileTokens * keys.rowBytes());
    a.addImmediate(Call.at(Frame.CALL, Field.KEY_SCALES), tileTokens * keys.scaleBytes());
    a.addImmediate(Call.at(Frame.CALL, Field.VALUE), tileTokens * values.rowBytes());
    a.addImmediate(Call.at(Frame.CALL, Field.VALUE_SCALES), tileTokens * values.scaleBytes());
    a.subImmediate(Call.at(Frame.CALL, Field.TILES), 1);
    a.jump(Condition.ABOVE, next);
  }

  /** Writes a loop over blocks of rows; its beginning is where the first block lies, afterwards too. */
  private static void overBlocks(Assembler a, RowCode keys, RowCode values, Runnable block) {
    int queryBytes = BLOCK_ROWS * new Decoder(keys).vectors() * Decoder.BYTES;
    int sumBytes = BLOCK_ROWS * new Decoder(values).vectors() * Decoder.BYTES;
    int stateBytes = 3 * Decoder.BYTES;
    a.load(Assembler.RAX, Call.at(Frame.CALL, Field.BLOCKS));
    a.store(Call.at(Frame.CALL, Field.LEFT), Assembler.RAX);
    Label next = new Label();
    a.bind(next);
    block.run();
    a.addImmediate(Call.at(Frame.CALL, Field.QUERY), queryBytes);
    a.addImmediate(Call.at(Frame.CALL, Field.SUMS), sumBytes);
    a.addImmediate(Call.at(Frame.CALL, Field.STATE), stateBytes);
    a.subImmediate(Call.at(Frame.CALL, Field.LEFT), 1);
    a.jump(Condition.ABOVE, next);
    back(a, Field.QUERY, queryBytes);
    back(a, Field.SUMS, sumBytes);
    back(a, Field.STATE, stateBytes);
  }

  private static void back(Assembler a, Field field, int blockBytes) {
    a.load(Assembler.RAX, Call.at(Frame.CALL, Field.BLOCKS));
    a.imul(Assembler.RAX, Assembler.RAX, -blockBytes);
    a.add(Assembler.RAX, Call.at(Frame.CALL, field));
    a.store(Call.at(Frame.CALL, field), Assembler.RAX);
  }

  /**
   * One tile that every row sees in whole, for many blocks of 4 rows; as {@link #ofTiles}.
   *
   * @param tileTokens most tokens of a tile; a block's scores have room for them
   */
  public static MachineCode ofBlocks(
      RowCode keys, RowCode values, float weightScale, Power2 power, int tileTokens) {
    return made(
        new Blocks(keys, values),
        a -> {
          Frame.enter(a, BlocksCode.scratch());
          new BlocksCode(a, keys, values, weightScale, power, tileTokens).write();
        });
  }

  /** Rows that {@link #ofBlocks} makes floats at a time: room for them is needed in its scratch. */
  public static int widenedRows() {
    return BlocksCode.ROWS;
  }

  static MachineCode made(Object key, Consumer<Assembler> writer) {
    synchronized (MADE) {
      MachineCode made = MADE.get(key);
      if (made == null) {
        made = new MachineCode(place(writer));
        MADE.put(key, made);
      }
      return made;
    }
  }

  /**
   * Sees whether machine code can be had here.
   *
   * @throws IllegalStateException if not; the message says why
   */
  public static void check() {
    synchronized (MADE) {
      if (!guarded) {
        FaultGuard.install(CodeMemory.ofProcess());
        guarded = true;
      }
    }
  }

  private static MemorySegment place(Consumer<Assembler> writer) {
    check();
    Assembler a = new Assembler();
    writer.accept(a);
    Frame.leave(a, Frame.DONE);
    return CodeMemory.ofProcess().place(a.code());
  }

  /**
   * Runs it. What it does not need may be any of the others. The caller has seen to it that all that
   * is read and written lies within the segments: nothing checks it here.
   *
   * @param call what to work on
   * @param keys memory of the keys, which stays open during the call
   * @param values memory of the values
   * @param queries an array's segment: prepared rows {@code [rows][stride]}
   * @param scores an array's segment: scores or weights {@code [ceil(tokens / 4)][4][4]}
   * @param sums an array's segment {@code [rows][stride]}
   * @param state an array's segment: maximum, partial sums, and room for one more vector
   * @throws InternalError if the memory was not there: a mapped file was cut short, or its disk fails
   */
  public void run(
      Call call,
      MemorySegment keys,
      MemorySegment values,
      MemorySegment queries,
      MemorySegment scores,
      MemorySegment sums,
      MemorySegment state) {
    int result;
    try {
      result =
          (int)
              Native.RUN.invokeExact(
                  code, call.memory(), keys, values, queries, scores, sums, state);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("the native call of a kernel", e);
    }
    if (result != Frame.DONE) {
      throw new InternalError(
          "keys, values or weights could not be read from their memory: a mapped file was cut short"
              + " by another program, or its disk fails");
    }
  }
}
