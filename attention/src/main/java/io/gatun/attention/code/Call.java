package io.gatun.attention.code;

import io.gatun.attention.code.Assembler.Address;
import java.lang.foreign.MemorySegment;

/**
 * What a kernel is called with, apart from addresses: 8 bytes each, in the order of {@link Field}.
 * The names are those of attention; products of weights use some of them for what is alike, as the
 * {@code run} methods of {@link RowsCode}, {@link StoredLanesCode}, {@link TransposeCode} and {@link
 * PanelCode} show.
 *
 * <p>Design note: an array, since some thirty numbers are set for each call. Were it memory outside
 * the heap, each would bring the checks of a memory segment with it, and C2 would need seconds for
 * the method that all of it is inlined into (attention/KERNEL.md, section 12).
 *
 * <p>Thread rules: scratch of one worker.
 */
public final class Call {
  /** The numbers of a call. Offsets are in bytes. */
  public enum Field {
    /** Tokens to take in, of a tile. */
    TOKENS,
    /** Tiles to take in, if there are several; counted down. */
    TILES,
    /** Where the first key lies in the memory of keys; moved on by whole tiles. */
    KEY,
    /** Where its scales lie. */
    KEY_SCALES,
    /**
     * Address of the keys to ask for from the first key worked on, on. Moved on by what was asked for,
     * as are the others.
     */
    KEY_AHEAD,
    /** Where they end. */
    KEY_AHEAD_END,
    /** Where asking goes on then. */
    KEY_AHEAD_NEXT,
    /** Where that ends; then asking begins there again. */
    KEY_AHEAD_NEXT_END,
    /** Where the first value lies in the memory of values. */
    VALUE,
    /** Where its scales lie. */
    VALUE_SCALES,
    /** As for keys. */
    VALUE_AHEAD,
    /** As for keys. */
    VALUE_AHEAD_END,
    /** As for keys. */
    VALUE_AHEAD_NEXT,
    /** As for keys. */
    VALUE_AHEAD_NEXT_END,
    /** Where the query rows lie in their array. */
    QUERY,
    /** Where the scores, or weights, lie in theirs. */
    SCORES,
    /** Where the sums lie in theirs. */
    SUMS,
    /** Where maximum, partial sums and room for one more vector lie in theirs. */
    STATE,
    /** Bits of the float that scores are multiplied with. */
    FACTOR,
    /** Blocks of 4 rows, which follow each other in queries, state and sums. */
    BLOCKS,
    /** Blocks, or tokens of a tile, that are not done yet. */
    LEFT,
    /** Address of scratch for rows as floats, for a kernel of many blocks. */
    WIDENED,
    /** Address of scratch for its query rows. */
    QUERY_COPY,
    /** Vectors of query rows to copy there: none if they are there already. */
    QUERY_VECTORS,
    /** Address of scratch for its sums of a tile. */
    TILE_SUMS,
    /** Rows to merge, or vectors to add. */
    COUNT,
    /** Parts to merge. */
    PARTS,
    /** Bytes from a row of a part to that of the next. */
    PART_BYTES,
    /** Bytes from a tile to the next. */
    TILE_BYTES,
    /** Splits to work through, each of so many tiles; 0 if it is a part of one. Counted down. */
    SPLITS,
    /** Address where the first split's result goes; others follow at a distance of {@link #PART_BYTES}. */
    STORE
  }

  private static final int FIELDS = Field.values().length;

  private final long[] numbers = new long[FIELDS];
  private final MemorySegment memory = MemorySegment.ofArray(numbers);

  /** Sets one of the numbers. */
  public void set(Field field, long value) {
    numbers[field.ordinal()] = value;
  }

  /** Sets the four addresses that begin with {@code KEY_AHEAD} or {@code VALUE_AHEAD}. */
  public void ask(Field first, long from, long end, long next, long nextEnd) {
    int at = first.ordinal();
    numbers[at] = from;
    numbers[at + 1] = end;
    numbers[at + 2] = next;
    numbers[at + 3] = nextEnd;
  }

  MemorySegment memory() {
    return memory;
  }

  /** Where a number lies, the call's address being in a register. */
  static Address at(int register, Field field) {
    return Assembler.at(register, field.ordinal() * Long.BYTES);
  }
}
