package io.gatun.tools.conversations;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Fingerprint;
import io.gatun.store.WorkFile;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.cli.UserFiles;
import io.gatun.tools.safetensors.SafetensorsFile;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorSpec;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Makes a conversation from an exported file. Everything is checked before the conversation is made:
 * the header, the set of tensors, their types and shapes, the checksum of each, every token id; and
 * every value while it is stored.
 */
final class ConversationImport {
  /** Tokens whose rows are put together at a time. */
  private static final int BATCH = 64;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final SafetensorsFile tensors;
  private final KvLayout layout;
  private final int[] ids;
  private final int rows;

  private ConversationImport(Path file, SafetensorsFile tensors) {
    this.file = file;
    this.tensors = tensors;
    Map<String, String> texts = tensors.header().metadata();
    this.layout = ExportFormat.layout(texts, file);
    int tokens = ExportFormat.number(texts, "tokens", file);
    this.rows = ExportFormat.number(texts, "committed_tokens", file);
    if (rows > tokens) {
      throw new GatunException(
          "%s has K/V of %,d tokens, but %,d token ids".formatted(file, rows, tokens));
    }
    List<TensorSpec> expected = ExportFormat.tensors(layout, tokens, rows);
    List<TensorSpec> found =
        tensors.header().entries().values().stream().map(entry -> entry.spec()).toList();
    if (!found.equals(expected)) {
      throw new GatunException(
          "%s does not hold the tensors that its metadata speaks of: expected %s, found %s"
              .formatted(file, brief(expected), brief(found)));
    }
    checkSums(expected);
    this.ids = new int[tokens];
    MemorySegment.copy(tensor("token_ids"), INT, 0, ids, 0, tokens);
    for (int i = 0; i < tokens; i++) {
      if (ids[i] < 0) {
        throw new GatunException("%s: token id %d at %,d is negative".formatted(file, ids[i], i));
      }
    }
  }

  /**
   * Imports a file.
   *
   * @param id the new conversation's name; null for the one that the file speaks of
   * @param trusted whether its rows may be handed to other conversations
   * @return the name
   */
  static String run(ConversationStore store, Path file, String id, boolean trusted)
      throws IOException {
    byte[] beginning;
    try (InputStream in = Files.newInputStream(UserFiles.require(file))) {
      beginning = in.readNBytes(8);
    }
    if (!Sealed.is(beginning)) {
      return runOpen(store, file, file, id, trusted);
    }
    // The store that it goes to holds the same bytes unsealed, under the same permissions.
    try (WorkFile opened = store.workFile()) {
      char[] passphrase = Passphrase.forOpening();
      try (InputStream in = Files.newInputStream(UserFiles.require(file));
          OutputStream out = new BufferedOutputStream(Files.newOutputStream(opened.path()))) {
        Sealed.open(in, out, passphrase);
      }
      return runOpen(store, opened.path(), file, id, trusted);
    }
  }

  private static String runOpen(
      ConversationStore store, Path opened, Path named, String id, boolean trusted) {
    try (SafetensorsFile tensors = SafetensorsFile.open(opened)) {
      Map<String, String> texts = tensors.header().metadata();
      ConversationImport source = new ConversationImport(named, tensors);
      String name = id == null ? String.valueOf(texts.get("id")) : id;
      String hex = String.valueOf(texts.get("fingerprint"));
      if (!hex.matches("[0-9a-f]{64}")) {
        throw new GatunException("%s: '%s' is no fingerprint".formatted(named, hex));
      }
      source.into(store, name, new Fingerprint(hex), trusted);
      return name;
    }
  }

  private void into(
      ConversationStore store, String name, Fingerprint fingerprint, boolean trusted) {
    Conversation talk = store.restore(name, fingerprint, layout, trusted);
    try (Conversation made = talk;
        Progress progress = Progress.bytes("import", rows * layout.bytesPerToken())) {
      made.accept(ids, 0, ids.length);
      append(made, progress);
      made.commit();
    } catch (RuntimeException | Error e) {
      try {
        store.delete(name);
      } catch (RuntimeException second) {
        // The first reason is the one to know; what is left is named with it.
        e.addSuppressed(second);
        throw new GatunException(
            "%s; what was imported of '%s' could not be removed (%s): delete it"
                .formatted(e.getMessage(), name, second.getMessage()),
            e);
      }
      throw e;
    }
  }

  private void append(Conversation talk, Progress progress) {
    KvShape shape = layout.shape();
    KvCache cache = talk.cache();
    try (Arena arena = Arena.ofConfined()) {
      long keyValues = (long) BATCH * shape.kvHeads() * shape.keyDim();
      long valueValues = (long) BATCH * shape.kvHeads() * shape.valueDim();
      MemorySegment keys = arena.allocate(ValueLayout.JAVA_FLOAT, keyValues);
      MemorySegment values = arena.allocate(ValueLayout.JAVA_FLOAT, valueValues);
      for (int from = 0; from < rows; from += BATCH) {
        int count = Math.min(BATCH, rows - from);
        for (int layer = 0; layer < shape.layers(); layer++) {
          gather(ExportFormat.keys(layer), layout.keyType(), shape.keyDim(), from, count, keys);
          if (!shape.valuesInKeys()) {
            gather(
                ExportFormat.values(layer),
                layout.valueType(),
                shape.valueDim(),
                from,
                count,
                values);
          }
          cache.append(layer, keys, values, count);
        }
        cache.advance(count);
        progress.by(count * layout.bytesPerToken());
        if (from % (16 * BATCH) == 0) {
          talk.commit();
        }
      }
    }
  }

  /** Rows {@code [kvHeads][tokens][dim]} of a tensor to f32 {@code [count][kvHeads][dim]}. */
  private void gather(
      String name, KvType type, int dim, int from, int count, MemorySegment target) {
    MemorySegment source = tensor(name);
    int heads = layout.shape().kvHeads();
    KvType inFile = ExportFormat.inFile(type);
    int width = inFile == KvType.F32 ? 4 : 2;
    for (int head = 0; head < heads; head++) {
      for (int t = 0; t < count; t++) {
        long at = ((long) head * rows + from + t) * dim * width;
        long to = ((long) t * heads + head) * dim;
        for (int d = 0; d < dim; d++) {
          float value =
              switch (inFile.label()) {
                case "f32" -> source.get(KvType.LE_FLOAT, at + 4L * d);
                case "f16" -> Float.float16ToFloat(source.get(KvType.LE_SHORT, at + 2L * d));
                default -> Float.intBitsToFloat(source.get(KvType.LE_SHORT, at + 2L * d) << 16);
              };
          target.setAtIndex(ValueLayout.JAVA_FLOAT, to + d, value);
        }
      }
    }
  }

  private void checkSums(List<TensorSpec> specs) {
    MemorySegment sums = tensor("crc32c");
    byte[] chunk = new byte[1 << 18];
    for (int i = 0; i < specs.size() - 1; i++) {
      MemorySegment data = tensor(specs.get(i).name());
      CRC32C crc = new CRC32C();
      for (long at = 0; at < data.byteSize(); ) {
        int step = (int) Math.min(chunk.length, data.byteSize() - at);
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, at, chunk, 0, step);
        crc.update(chunk, 0, step);
        at += step;
      }
      long expected = sums.get(LONG, 8L * i);
      if (crc.getValue() != expected) {
        throw new GatunException(
            "%s: tensor %s is damaged (checksum %08x, computed %08x)"
                .formatted(file, specs.get(i).name(), expected, crc.getValue()));
      }
    }
  }

  private MemorySegment tensor(String name) {
    Tensor tensor = tensors.tensors().get(name);
    return tensor.data();
  }

  private static String brief(List<TensorSpec> specs) {
    List<String> texts =
        specs.stream().map(spec -> spec.name() + " " + spec.type() + spec.shape()).toList();
    return texts.size() <= 4
        ? texts.toString()
        : "%s, ... (%d tensors)".formatted(texts.subList(0, 4), texts.size());
  }
}
