package io.gatun.tools.conversations;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.store.Fingerprint;
import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What an exported conversation looks like: a safetensors file with, in this order,
 *
 * <pre>
 *   token_ids          I32   [tokens]
 *   layers.0.keys      type  [kvHeads, committed tokens, keyDim]
 *   layers.0.values    type  [kvHeads, committed tokens, valueDim]     unless they lie in the keys
 *   layers.1.keys ...
 *   crc32c             I64   [tensors before this one], CRC32C of the bytes of each
 * </pre>
 *
 * and texts under {@code __metadata__}: format, version, id, fingerprint, and the layout. K/V of the
 * float types is in the file bit for bit. Of a quantised type it is decoded, un-rotated, as F32, and
 * the layout names the type that it came from: {@code key_type}, {@code value_type}. An import encodes
 * it in that type again: the codes come out as they were but for values that fell between two codes
 * by less than f32 rounding, the scales within a few units in the last place.
 */
final class ExportFormat {
  static final String FORMAT = "gatun-conversation";
  static final String VERSION = "1";

  private ExportFormat() {}

  static List<TensorSpec> tensors(KvLayout layout, int tokens, long rows) {
    KvShape shape = layout.shape();
    List<TensorSpec> specs = new ArrayList<>();
    specs.add(TensorSpec.of("token_ids", TensorType.I32, tokens));
    for (int layer = 0; layer < shape.layers(); layer++) {
      specs.add(
          TensorSpec.of(
              keys(layer), type(layout.keyType()), shape.kvHeads(), rows, shape.keyDim()));
      if (!shape.valuesInKeys()) {
        specs.add(
            TensorSpec.of(
                values(layer), type(layout.valueType()), shape.kvHeads(), rows, shape.valueDim()));
      }
    }
    specs.add(TensorSpec.of("crc32c", TensorType.I64, specs.size()));
    return specs;
  }

  static String keys(int layer) {
    return "layers." + layer + ".keys";
  }

  static String values(int layer) {
    return "layers." + layer + ".values";
  }

  /** The type that rows of a type have in the file. */
  static KvType inFile(KvType type) {
    return type.quantized() ? KvType.F32 : type;
  }

  private static TensorType type(KvType type) {
    return TensorType.valueOf(inFile(type).name());
  }

  static Map<String, String> metadata(
      String id, Fingerprint fingerprint, KvLayout layout, int tokens, long rows) {
    KvShape shape = layout.shape();
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put("format", FORMAT);
    texts.put("version", VERSION);
    texts.put("id", id);
    texts.put("fingerprint", fingerprint.hex());
    texts.put("layers", Integer.toString(shape.layers()));
    texts.put("kv_heads", Integer.toString(shape.kvHeads()));
    texts.put("key_dim", Integer.toString(shape.keyDim()));
    texts.put("value_dim", Integer.toString(shape.valueDim()));
    texts.put("values_in_keys", Boolean.toString(shape.valuesInKeys()));
    texts.put("key_type", layout.keyType().label());
    texts.put("value_type", layout.valueType().label());
    texts.put("block_tokens", Integer.toString(layout.blockTokens()));
    texts.put("tokens", Integer.toString(tokens));
    texts.put("committed_tokens", Long.toString(rows));
    return texts;
  }

  /** The layout that metadata describes. */
  static KvLayout layout(Map<String, String> texts, Path file) {
    if (!FORMAT.equals(texts.get("format"))) {
      throw new GatunException(
          "%s is no exported conversation: its metadata says format '%s', not '%s'"
              .formatted(file, texts.get("format"), FORMAT));
    }
    if (!VERSION.equals(texts.get("version"))) {
      throw new GatunException(
          "%s has version %s of the format, this Gatun reads version %s"
              .formatted(file, texts.get("version"), VERSION));
    }
    try {
      KvShape shape =
          new KvShape(
              number(texts, "layers", file),
              number(texts, "kv_heads", file),
              number(texts, "key_dim", file),
              number(texts, "value_dim", file),
              Boolean.parseBoolean(texts.get("values_in_keys")));
      return new KvLayout(
          shape,
          KvType.ofLabel(String.valueOf(texts.get("key_type"))),
          KvType.ofLabel(String.valueOf(texts.get("value_type"))),
          number(texts, "block_tokens", file));
    } catch (IllegalArgumentException e) {
      throw new GatunException("%s: %s".formatted(file, e.getMessage()), e);
    }
  }

  static int number(Map<String, String> texts, String name, Path file) {
    String text = texts.get(name);
    if (text == null || !text.matches("[0-9]{1,9}")) {
      throw new GatunException(
          "%s: its metadata says %s for %s, not a number".formatted(file, text, name));
    }
    return Integer.parseInt(text);
  }
}
