package io.gatun.store;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvBlock;
import io.gatun.cache.KvLayout;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Checksums of block rows and checks of block files.
 *
 * <p>Design note: a checksum taken straight from a map dies with the process if the file was cut
 * short; so bytes are first copied to the heap, a chunk at a time, or read from the file.
 */
final class BlockCheck {
  private static final int CHUNK = 1 << 16;

  private BlockCheck() {}

  /** Checks a block file's size and header with plain reads. */
  static void header(Path file, BlockHeader expected) throws IOException {
    try (RandomAccessFile block = FileLook.open(file)) {
      header(block, file, expected);
    } catch (EOFException e) {
      throw cutOff(file, e);
    }
  }

  private static void header(RandomAccessFile block, Path file, BlockHeader expected)
      throws IOException {
    long bytes = StoreBlocks.fileBytes(expected.layout());
    if (block.length() != bytes) {
      throw new DamageException(
          "%s has %,d bytes, not %,d: it was cut off or is not what it is taken for"
              .formatted(file, block.length(), bytes));
    }
    byte[] page = new byte[BlockHeader.BYTES];
    block.readFully(page);
    BlockHeader.decode(page, file).require(expected, file);
  }

  private static DamageException cutOff(Path file, EOFException e) {
    return new DamageException("%s was cut off while it was read".formatted(file), e);
  }

  /**
   * Checksum over the rows {@code [fromRow, toRow)} of a mapped block.
   *
   * @throws GatunException if its file was cut short since it was mapped, or cannot be read
   */
  static int crc(KvLayout layout, KvBlock block, int fromRow, int toRow) {
    CRC32C crc = new CRC32C();
    byte[] chunk = new byte[CHUNK];
    layout.forEachPiece(
        fromRow,
        toRow,
        (inKeys, offset, bytes) -> {
          MemorySegment from = inKeys ? block.keys() : block.values();
          try {
            for (long at = 0; at < bytes; at += CHUNK) {
              int length = (int) Math.min(CHUNK, bytes - at);
              MemorySegment.copy(from, ValueLayout.JAVA_BYTE, offset + at, chunk, 0, length);
              crc.update(chunk, 0, length);
            }
          } catch (InternalError e) {
            throw new GatunException(
                "rows %d to %d of block %016x could not be read: its file was cut short since it was mapped, or its disk fails. Close the conversation and open it again: it says which tokens need a prefill"
                    .formatted(fromRow, toRow - 1, block.id()),
                e);
          }
        });
    return (int) crc.getValue();
  }

  /** Bytes of the pages that the rows {@code [fromRow, toRow)} of a block touch. */
  static long pageBytes(KvLayout layout, int fromRow, int toRow) {
    long[] pages = new long[1];
    layout.forEachPiece(
        fromRow,
        toRow,
        (inKeys, offset, bytes) ->
            pages[0] += Math.ceilDiv(offset + bytes, KvLayout.PAGE) - offset / KvLayout.PAGE);
    return pages[0] * KvLayout.PAGE;
  }

  /**
   * Rows of a run that check, by plain reads: all of them, or those before the first checksum that
   * does not fit.
   *
   * @return rows at the front that check; {@code run.tokens()} if all do
   */
  static int soundRows(Path file, BlockHeader expected, RunState run) throws IOException {
    KvLayout layout = expected.layout();
    CRC32C[] crcs = new CRC32C[run.ends().length];
    try (RandomAccessFile block = FileLook.open(file)) {
      header(block, file, expected);
      byte[] chunk = new byte[CHUNK];
      for (int piece = 0; piece < crcs.length; piece++) {
        crcs[piece] = new CRC32C();
      }
      // The pieces of all checksums in the order of the file: it is read once, front to back.
      PieceReader reader = new PieceReader(block, layout, chunk);
      reader.readAll(run, crcs);
    } catch (EOFException e) {
      throw cutOff(file, e);
    }
    for (int piece = 0; piece < crcs.length; piece++) {
      if ((int) crcs[piece].getValue() != run.crcs()[piece]) {
        return run.start(piece);
      }
    }
    return run.tokens();
  }

  /** Reads the rows of a run in file order and feeds each byte to the checksum that covers it. */
  private record PieceReader(RandomAccessFile file, KvLayout layout, byte[] chunk) {
    void readAll(RunState run, CRC32C[] crcs) throws IOException {
      int covered = run.coveredRows();
      List<long[]> whole = new ArrayList<>();
      // The memory of all covered rows, and per piece of it the stride of one row.
      layout.forEachPiece(
          0,
          covered,
          (inKeys, offset, bytes) ->
              whole.add(
                  new long[] {
                    BlockHeader.BYTES + (inKeys ? 0 : layout.keysBytes()) + offset, bytes / covered
                  }));
      for (long[] memory : whole) {
        file.seek(memory[0]);
        for (int piece = 0; piece < crcs.length; piece++) {
          feed(crcs[piece], (run.ends()[piece] - run.start(piece)) * memory[1]);
        }
      }
    }

    private void feed(CRC32C crc, long bytes) throws IOException {
      for (long left = bytes; left > 0; ) {
        int length = (int) Math.min(chunk.length, left);
        file.readFully(chunk, 0, length);
        crc.update(chunk, 0, length);
        left -= length;
      }
    }
  }
}
