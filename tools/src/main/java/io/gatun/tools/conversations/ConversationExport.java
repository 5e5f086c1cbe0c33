package io.gatun.tools.conversations;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.safetensors.TensorSpec;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Writes a conversation to one file, see {@link ExportFormat}: as a stream, from the mapped blocks,
 * so that a sealed export never stands anywhere unsealed. The file gets its name when it is whole
 * and forced. One use.
 */
final class ConversationExport {
  private static final int ALIGNMENT = 64;

  private final ConversationReader reader;
  private final OutputStream out;
  private final Progress progress;
  private final byte[] chunk = new byte[1 << 18];
  private final long[] crcs;
  private int tensor;
  private CRC32C crc;

  private ConversationExport(
      ConversationReader reader, OutputStream out, int tensors, Progress progress) {
    this.reader = reader;
    this.out = out;
    this.progress = progress;
    this.crcs = new long[tensors - 1];
  }

  /**
   * Exports the committed K/V and all token ids of a conversation. Rows that are not those of its
   * journal are an error; then there is no file, or the one that was there before.
   *
   * @param passphrase seals the file; null leaves it open
   * @return what was written, by name
   */
  static Map<String, Object> run(ConversationStore store, String id, Path file, char[] passphrase)
      throws IOException {
    Path part = file.resolveSibling(file.getFileName() + ".part");
    Files.deleteIfExists(part);
    Files.createFile(
        part, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try (ConversationReader reader = store.read(id)) {
      KvLayout layout = reader.layout();
      int tokens = reader.tokens().count();
      long rows = reader.committedTokens();
      List<TensorSpec> specs = ExportFormat.tensors(layout, tokens, rows);
      byte[] header =
          header(specs, ExportFormat.metadata(id, reader.fingerprint(), layout, tokens, rows));
      try (FileOutputStream bytes = new FileOutputStream(part.toFile());
          Progress progress = Progress.bytes("export", rows * layout.bytesPerToken())) {
        OutputStream buffered = new BufferedOutputStream(bytes, 1 << 18);
        OutputStream out =
            passphrase == null ? buffered : Sealed.sealing(keepOpen(buffered), passphrase);
        new ConversationExport(reader, out, specs.size(), progress).write(header);
        // After they were written: the file gets checksums of its own, which must not bless others.
        reader.checkRows();
        if (passphrase != null) {
          out.close();
        }
        buffered.flush();
        bytes.getFD().sync();
      }
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      return ConversationsCommand.object(
          "id",
          id,
          "file",
          file.toString(),
          "tokens",
          tokens,
          "committedTokens",
          rows,
          "bytes",
          Files.size(file),
          "encrypted",
          passphrase != null);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /** So that closing the seal leaves the file open to be forced. */
  private static OutputStream keepOpen(OutputStream out) {
    return new OutputStream() {
      @Override
      public void write(int value) throws IOException {
        out.write(value);
      }

      @Override
      public void write(byte[] bytes, int from, int count) throws IOException {
        out.write(bytes, from, count);
      }

      @Override
      public void flush() throws IOException {
        out.flush();
      }
    };
  }

  private static byte[] header(List<TensorSpec> specs, Map<String, String> metadata)
      throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.writeStartObject();
      json.writeObjectFieldStart("__metadata__");
      for (Map.Entry<String, String> text : metadata.entrySet()) {
        json.writeStringField(text.getKey(), text.getValue());
      }
      json.writeEndObject();
      long at = 0;
      for (TensorSpec spec : specs) {
        json.writeObjectFieldStart(spec.name());
        json.writeStringField("dtype", spec.type().name());
        json.writeFieldName("shape");
        long[] shape = spec.shape().stream().mapToLong(Long::longValue).toArray();
        json.writeArray(shape, 0, shape.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {at, at + spec.bytes()}, 0, 2);
        json.writeEndObject();
        at += spec.bytes();
      }
      json.writeEndObject();
    }
    while ((8 + bytes.size()) % ALIGNMENT != 0) {
      bytes.write(' ');
    }
    return bytes.toByteArray();
  }

  private void write(byte[] header) throws IOException {
    out.write(littleEndian(8).putLong(header.length).array());
    out.write(header);
    begin();
    writeTokens();
    try (KvView view = reader.view()) {
      KvLayout layout = view.layout();
      for (int layer = 0; layer < layout.shape().layers(); layer++) {
        begin();
        writeRows(view, layer, true);
        if (layout.shape().valuesInKeys()) {
          continue;
        }
        begin();
        writeRows(view, layer, false);
      }
    }
    end();
    ByteBuffer sums = littleEndian(8 * crcs.length);
    for (long sum : crcs) {
      sums.putLong(sum);
    }
    out.write(sums.array());
  }

  /** The rows of a layer, {@code [kvHead][token][dim]}: as they are stored, or decoded. */
  private void writeRows(KvView view, int layer, boolean keys) throws IOException {
    KvLayout layout = view.layout();
    boolean decoded = (keys ? layout.keyType() : layout.valueType()).quantized();
    int rowBytes = keys ? layout.keyRowBytes() : layout.valueRowBytes();
    for (int head = 0; head < layout.shape().kvHeads(); head++) {
      if (decoded) {
        writeDecoded(view, layer, head, keys);
        continue;
      }
      for (int run = 0; run < view.runs(); run++) {
        long offset = keys ? layout.keyOffset(layer, head, 0) : layout.valueOffset(layer, head, 0);
        put(
            keys ? view.keys(run) : view.values(run),
            offset,
            (long) view.runTokens(run) * rowBytes);
      }
    }
  }

  private void writeDecoded(KvView view, int layer, int head, boolean keys) throws IOException {
    KvLayout layout = view.layout();
    int dim = keys ? layout.shape().keyDim() : layout.shape().valueDim();
    int storedBytes =
        keys
            ? layout.keyRowBytes() + layout.keyScaleBytes()
            : layout.valueRowBytes() + layout.valueScaleBytes();
    float[] row = new float[dim];
    ByteBuffer bytes = littleEndian(dim * Float.BYTES);
    for (long token = 0; token < view.length(); token++) {
      if (keys) {
        RowReader.key(view, layer, head, token, row);
      } else {
        RowReader.value(view, layer, head, token, row);
      }
      bytes.asFloatBuffer().put(row);
      crc.update(bytes.array());
      out.write(bytes.array());
      progress.by(storedBytes);
    }
  }

  private void writeTokens() throws IOException {
    int[] ids = reader.tokens().toArray();
    for (int from = 0; from < ids.length; from += 4096) {
      int count = Math.min(4096, ids.length - from);
      ByteBuffer bytes = littleEndian(4 * count);
      bytes.asIntBuffer().put(ids, from, count);
      crc.update(bytes.array());
      out.write(bytes.array());
    }
  }

  private void put(MemorySegment rows, long offset, long bytes) throws IOException {
    for (long done = 0; done < bytes; ) {
      int step = (int) Math.min(chunk.length, bytes - done);
      MemorySegment.copy(rows, ValueLayout.JAVA_BYTE, offset + done, chunk, 0, step);
      crc.update(chunk, 0, step);
      out.write(chunk, 0, step);
      done += step;
    }
    progress.by(bytes);
  }

  /** Ends the tensor before, if there is one, and begins the next. */
  private void begin() {
    end();
    crc = new CRC32C();
  }

  private void end() {
    if (crc != null) {
      crcs[tensor++] = crc.getValue();
    }
  }

  private static ByteBuffer littleEndian(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
