package io.gatun.tools.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a safetensors file as a stream: the header first, then the tensors in the order they were
 * announced, through one small buffer. The file gets its name only in {@link #commit}, when it is
 * whole and forced to disk; closing without a commit leaves nothing.
 *
 * <p>The header is padded with spaces so that the data begins at a multiple of 64 bytes. One thread.
 */
public final class SafetensorsWriter implements AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 20;
  private static final int ALIGNMENT = 64;

  private final Path file;
  private final Path temporary;
  private final FileChannel channel;
  private final List<TensorSpec> specs;
  private final ByteBuffer buffer =
      ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);

  /** Index of the tensor being written; {@code specs.size()} when all are. */
  private int current;

  /** Elements of it that are still to come. */
  private long left;

  private boolean committed;

  private SafetensorsWriter(
      Path file, Path temporary, FileChannel channel, List<TensorSpec> specs) {
    this.file = file;
    this.temporary = temporary;
    this.channel = channel;
    this.specs = specs;
  }

  /**
   * Starts a file.
   *
   * @param specs every tensor, in the order in which their values will be given
   * @param metadata what goes under {@code __metadata__}; may be empty
   * @throws GatunException if the file cannot be made
   */
  public static SafetensorsWriter create(
      Path file, List<TensorSpec> specs, Map<String, String> metadata) {
    byte[] header = header(specs, metadata);
    Path temporary = file.resolveSibling(file.getFileName() + ".part");
    try {
      // One that was left behind may have been made for all to read.
      Files.deleteIfExists(temporary);
      FileChannel channel =
          PrivateFiles.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      SafetensorsWriter writer =
          new SafetensorsWriter(file, temporary, channel, List.copyOf(specs));
      try {
        writer.buffer.putLong(header.length);
        writer.writeFully(writer.buffer.flip());
        writer.writeFully(ByteBuffer.wrap(header));
        writer.buffer.clear();
        writer.current = -1;
        writer.nextTensor();
        return writer;
      } catch (RuntimeException | Error e) {
        writer.close();
        throw e;
      }
    } catch (IOException e) {
      throw new GatunException("cannot write %s: %s".formatted(temporary, e), e);
    }
  }

  private static byte[] header(List<TensorSpec> specs, Map<String, String> metadata) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Set<String> names = new HashSet<>(Set.of("__metadata__"));
    try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart("__metadata__");
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
          json.writeStringField(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
      }
      long at = 0;
      for (TensorSpec spec : specs) {
        if (!names.add(spec.name())) {
          throw new IllegalArgumentException("tensor name %s is taken".formatted(spec.name()));
        }
        long end = Math.addExact(at, spec.bytes());
        json.writeObjectFieldStart(spec.name());
        json.writeStringField("dtype", spec.type().name());
        json.writeFieldName("shape");
        long[] shape = spec.shape().stream().mapToLong(Long::longValue).toArray();
        json.writeArray(shape, 0, shape.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {at, end}, 0, 2);
        json.writeEndObject();
        at = end;
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new IllegalStateException("writing to a byte array", e);
    }
    while ((8 + out.size()) % ALIGNMENT != 0) {
      out.write(' ');
    }
    return out.toByteArray();
  }

  /** The tensor whose values come next; null when all are written. */
  public TensorSpec current() {
    return current < specs.size() ? specs.get(current) : null;
  }

  /**
   * Appends values to the current tensor, rounded to its type (to nearest, ties to even).
   *
   * @throws IllegalStateException if there are more values than the tensor has left
   */
  public void write(float[] values, int from, int count) {
    TensorType type = take(count).type();
    for (int i = from; i < from + count; i++) {
      if (buffer.remaining() < Float.BYTES) {
        flush();
      }
      switch (type) {
        case F32 -> buffer.putFloat(values[i]);
        case F16 -> buffer.putShort(Float.floatToFloat16(values[i]));
        case BF16 -> buffer.putShort(toBf16(values[i]));
        default -> throw new IllegalStateException("cannot round floats to " + type);
      }
    }
    passOn(count);
  }

  /** Appends all values of an array to the current tensor; see {@link #write(float[], int, int)}. */
  public void write(float[] values) {
    write(values, 0, values.length);
  }

  /**
   * Appends elements that are encoded already.
   *
   * @param encoded whole little-endian elements of the current tensor's type
   */
  public void writeEncoded(MemorySegment encoded) {
    int width = take(0).type().bytes();
    long count = encoded.byteSize() / width;
    if (encoded.byteSize() % width != 0) {
      throw new IllegalArgumentException(
          "%d bytes are no whole elements of %d".formatted(encoded.byteSize(), width));
    }
    take(count);
    for (long done = 0; done < encoded.byteSize(); ) {
      if (!buffer.hasRemaining()) {
        flush();
      }
      long step = Math.min(buffer.remaining(), encoded.byteSize() - done);
      MemorySegment.copy(
          encoded,
          ValueLayout.JAVA_BYTE,
          done,
          MemorySegment.ofBuffer(buffer),
          ValueLayout.JAVA_BYTE,
          0,
          step);
      buffer.position(buffer.position() + (int) step);
      done += step;
    }
    passOn(count);
  }

  /** Rounds to bfloat16, to nearest, ties to even; a NaN stays one. */
  public static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  private TensorSpec take(long count) {
    TensorSpec spec = current();
    if (spec == null || count > left) {
      throw new IllegalStateException(
          spec == null
              ? "all %d tensors are written already".formatted(specs.size())
              : "tensor %s has room for %d values more, not for %d"
                  .formatted(spec.name(), left, count));
    }
    return spec;
  }

  private void passOn(long count) {
    left -= count;
    if (left == 0) {
      nextTensor();
    }
  }

  private void nextTensor() {
    do {
      current++;
      left = current < specs.size() ? specs.get(current).elements() : 0;
    } while (current < specs.size() && left == 0);
  }

  /**
   * Forces the file to disk and gives it its name, replacing a file of that name.
   *
   * @throws IllegalStateException if a tensor is not complete; it is named
   */
  public void commit() {
    if (current() != null) {
      throw new IllegalStateException(
          "tensor %s still misses %d values".formatted(current().name(), left));
    }
    flush();
    try {
      channel.force(true);
      channel.close();
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      committed = true;
    } catch (IOException e) {
      throw new GatunException("cannot finish %s: %s".formatted(file, e), e);
    }
  }

  private void flush() {
    writeFully(buffer.flip());
    buffer.clear();
  }

  private void writeFully(ByteBuffer bytes) {
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw new GatunException(
          "cannot write %s: %s; is the disk full?".formatted(temporary, e.getMessage()), e);
    }
  }

  /** Ends the writer; without a {@link #commit} the unfinished file is removed. */
  @Override
  public void close() {
    try {
      channel.close();
      if (!committed) {
        Files.deleteIfExists(temporary);
      }
    } catch (IOException e) {
      throw new GatunException("cannot close %s: %s".formatted(temporary, e), e);
    }
  }
}
