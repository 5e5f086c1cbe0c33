package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.WeightType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32C;

/**
 * The layout of a file of weights that were rounded to {@link WeightType#Q8}, and its check:
 *
 * <pre>
 *   0            8               16            data, a multiple of 4,096          checks      end
 *   | "GATUNQ8\n" | n, u64 LE     | n bytes of  | rows of the matrices, one        | u32 LE    |
 *   |             |               | text, zeros | matrix after the other           | [chunks]  |
 *
 *   form 1
 *   source 9f0c...           SHA-256 of the checkpoint that was rounded; see ModelDigest
 *   2048 8192 model.layers.0.mlp.down_proj.weight        rows, columns, name of each matrix, in order
 * </pre>
 *
 * A matrix is cut into chunks of whole rows, about a megabyte each; a check is the CRC-32C of a
 * chunk. The text is what was rounded and how, so a file is used only if its text is, byte for byte,
 * the one that this process would write, and every check holds. They are compared at each start,
 * with plain reads: a damaged sector is an error there and not the end of the process.
 */
final class Q8File {
  /** First bytes of such a file. */
  static final String MAGIC = "GATUNQ8\n";

  /** Raised when the bytes of a row, a chunk or this layout change. */
  static final int FORM = 1;

  private static final long PAGE = 4096;
  private static final long CHUNK_BYTES = 1 << 20;
  private static final int LARGEST_TEXT = 1 << 26;

  /** Rows {@code [from, to)} of a matrix, and where they lie in the file. */
  record Chunk(Matrix matrix, long from, long to, long at) {
    /** Bytes of the rows. */
    int bytes() {
      return Math.toIntExact((to - from) * WeightType.Q8.rowBytes(matrix.cols()));
    }
  }

  /** What kept a file from being used; null if nothing did. */
  record Finding(String reason, boolean isForeign) {}

  private final List<Matrix> matrices;
  private final List<Chunk> chunks = new ArrayList<>();
  private final byte[] head;
  private final long checksAt;

  /**
   * The file of these matrices.
   *
   * @param matrices in the form of the checkpoint; no name occurs twice
   * @param source digest of the checkpoint
   */
  Q8File(List<Matrix> matrices, String source) {
    this.matrices = matrices;
    StringBuilder text = new StringBuilder("form " + FORM + "\nsource " + source + "\n");
    for (Matrix matrix : matrices) {
      text.append(matrix.rows()).append(' ').append(matrix.cols()).append(' ');
      text.append(matrix.name()).append('\n');
    }
    byte[] words = text.toString().getBytes(StandardCharsets.UTF_8);
    long dataAt = Math.ceilDiv(16 + words.length, PAGE) * PAGE;
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(dataAt)).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(MAGIC.getBytes(StandardCharsets.US_ASCII)).putLong(words.length).put(words);
    head = bytes.array();
    long at = dataAt;
    for (Matrix matrix : matrices) {
      long rowBytes = WeightType.Q8.rowBytes(matrix.cols());
      long rows = Math.max(1, CHUNK_BYTES / rowBytes);
      for (long from = 0; from < matrix.rows(); from += rows) {
        Chunk chunk = new Chunk(matrix, from, Math.min(matrix.rows(), from + rows), at);
        chunks.add(chunk);
        at += chunk.bytes();
      }
    }
    checksAt = at;
  }

  /** The first bytes, up to the rows. */
  byte[] head() {
    return head.clone();
  }

  /** The chunks in the order of the file. */
  List<Chunk> chunks() {
    return chunks;
  }

  /** Bytes of the largest chunk. */
  int chunkBytes() {
    return chunks.stream().mapToInt(Chunk::bytes).max().orElse(0);
  }

  /** Where the checks lie, behind the last row. */
  long checksAt() {
    return checksAt;
  }

  /** Bytes of the whole file. */
  long bytes() {
    return checksAt + 4L * chunks.size();
  }

  /** The matrices of a file that {@link #check} found whole, mapped. */
  Map<String, Matrix> map(FileChannel channel, Arena arena) throws IOException {
    MemorySegment map = channel.map(MapMode.READ_ONLY, 0, bytes(), arena);
    Map<String, Matrix> rounded = new LinkedHashMap<>();
    long at = head.length;
    for (Matrix matrix : matrices) {
      long bytes = matrix.rows() * WeightType.Q8.rowBytes(matrix.cols());
      MemorySegment data = map.asSlice(at, bytes);
      rounded.put(
          matrix.name(),
          new Matrix(matrix.name(), WeightType.Q8, matrix.rows(), matrix.cols(), data));
      at += bytes;
    }
    return rounded;
  }

  /** Opens a file for {@link #check} and {@link #map}; follows no link. */
  static FileChannel open(Path file) throws IOException {
    return FileChannel.open(file, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
  }

  /** Reads the whole file; what is wrong with it, or null. */
  Finding check(FileChannel channel, Team team) throws IOException {
    ByteBuffer found = ByteBuffer.allocate((int) Math.min(channel.size(), 16));
    read(channel, found, 0);
    ByteBuffer front = found.flip().order(ByteOrder.LITTLE_ENDIAN);
    if (front.remaining() < 16
        || !new String(front.array(), 0, 8, StandardCharsets.US_ASCII).equals(MAGIC)) {
      return new Finding("it does not begin as a file of Gatun's rounded weights does", true);
    }
    Finding text = checkText(channel, front.getLong(8));
    if (text != null) {
      return text;
    }
    if (channel.size() != bytes()) {
      return new Finding("it has %,d bytes, not %,d".formatted(channel.size(), bytes()), false);
    }
    return checkChunks(channel, team);
  }

  private Finding checkText(FileChannel channel, long length) throws IOException {
    if (length < 0 || length > Math.min(LARGEST_TEXT, channel.size() - 16)) {
      return new Finding("its text is said to have %d bytes".formatted(length), false);
    }
    ByteBuffer bytes = ByteBuffer.allocate((int) length);
    read(channel, bytes, 16);
    String[] found = new String(bytes.array(), StandardCharsets.UTF_8).split("\n");
    long words = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getLong(8);
    String[] expected = new String(head, 16, (int) words, StandardCharsets.UTF_8).split("\n");
    for (int i = 0; i < expected.length; i++) {
      if (i >= found.length || !found[i].equals(expected[i])) {
        String line = i < found.length ? found[i] : "";
        return new Finding(
            (i == 1
                    ? "it was made from other weights: it says '%s', not '%s'"
                    : "it says '%s', not '%s'")
                .formatted(line.substring(0, Math.min(100, line.length())), expected[i]),
            false);
      }
    }
    ByteBuffer whole = ByteBuffer.allocate((int) Math.min(channel.size(), head.length));
    read(channel, whole, 0);
    return java.util.Arrays.equals(whole.array(), head)
        ? null
        : new Finding("the bytes before its rows are not as they were written", false);
  }

  private Finding checkChunks(FileChannel channel, Team team) throws IOException {
    ByteBuffer checks = ByteBuffer.allocate(4 * chunks.size()).order(ByteOrder.LITTLE_ENDIAN);
    read(channel, checks, checksAt);
    // Off the heap, where a read need not be copied again.
    ByteBuffer[] buffers = new ByteBuffer[team.threads()];
    for (int i = 0; i < buffers.length; i++) {
      buffers[i] = ByteBuffer.allocateDirect(chunkBytes());
    }
    AtomicReference<Finding> finding = new AtomicReference<>();
    team.run(
        chunks.size(),
        (task, worker) -> {
          Chunk chunk = chunks.get(task);
          if (finding.get() != null) {
            return;
          }
          try {
            ByteBuffer buffer = buffers[worker].clear().limit(chunk.bytes());
            read(channel, buffer, chunk.at());
            if (crc(buffer.flip()) != checks.getInt(4 * task)) {
              finding.compareAndSet(null, damaged(chunk, "have another check than was written"));
            }
          } catch (IOException e) {
            finding.compareAndSet(null, damaged(chunk, "cannot be read: " + e.getMessage()));
          }
        });
    return finding.get();
  }

  private static Finding damaged(Chunk chunk, String how) {
    return new Finding(
        "it is damaged: rows %d to %d of %s %s"
            .formatted(chunk.from(), chunk.to() - 1, chunk.matrix().name(), how),
        false);
  }

  /** The check of a chunk's bytes. */
  static int crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  private static void read(FileChannel channel, ByteBuffer into, long at) throws IOException {
    long from = at;
    while (into.hasRemaining()) {
      int count = channel.read(into, from);
      if (count < 0) {
        throw new GatunException("the file ends at byte %,d while it is read".formatted(from));
      }
      from += count;
    }
  }
}
