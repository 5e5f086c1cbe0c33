package io.gatun.tools.safetensors;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of a safetensors file, checked from end to end before anything is mapped:
 *
 * <pre>
 *   0             8                      8 + n            file size
 *   | n, u64 LE   | n bytes of JSON      | data           |
 *
 *   {"__metadata__": {"format": "pt"},
 *    "model.norm.weight": {"dtype": "BF16", "shape": [2048], "data_offsets": [0, 4096]}, ...}
 * </pre>
 *
 * Offsets count from the start of the data. The tensors must fill the data without gap or overlap.
 *
 * @param dataStart offset of the data in the file
 * @param entries the tensors by name, in the order of their data
 * @param metadata what stands under {@code __metadata__}
 */
public record SafetensorsHeader(
    long dataStart, Map<String, Entry> entries, Map<String, String> metadata) {
  /** Largest header that is read, as in the format's own implementation. */
  static final long MAX_BYTES = 100_000_000;

  private static final JsonFactory JSON = new JsonFactory();

  /**
   * One tensor.
   *
   * @param begin offset of its first byte in the data
   * @param end offset behind its last byte
   */
  public record Entry(TensorSpec spec, long begin, long end) {}

  /**
   * Reads and checks the header of a file.
   *
   * @throws GatunException if the file is not what the format says; the message names the file, what
   *     was expected and what was found
   */
  public static SafetensorsHeader read(Path file) {
    try (InputStream in = Files.newInputStream(UserFiles.require(file))) {
      long fileBytes = Files.size(file);
      byte[] prefix = in.readNBytes(8);
      if (prefix.length < 8) {
        throw refused(
            file,
            "it has %d bytes, and a safetensors file begins with 8 bytes of header length"
                .formatted(fileBytes));
      }
      long length = ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN).getLong();
      if (length < 0 || length > MAX_BYTES) {
        throw refused(
            file,
            "its header is said to have %s bytes, and at most %,d are allowed"
                .formatted(Long.toUnsignedString(length), MAX_BYTES));
      }
      if (length < 2) {
        throw refused(
            file, "its header is said to have %d bytes, and {} takes 2".formatted(length));
      }
      if (length > fileBytes - 8) {
        throw cutOff(file, fileBytes, 8 + length);
      }
      Parse parse = new Parse(file);
      parse.run(new Bounded(in, length));
      return new SafetensorsHeader(
          8 + length, inDataOrder(file, parse.entries, 8 + length, fileBytes), parse.metadata);
    } catch (JacksonException e) {
      throw refused(file, "its header is not valid JSON (%s)".formatted(e.getOriginalMessage()));
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(file, e), e);
    }
  }

  private static Map<String, Entry> inDataOrder(
      Path file, Map<String, Entry> entries, long dataStart, long fileBytes) {
    List<Entry> sorted = new ArrayList<>(entries.values());
    sorted.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    Map<String, Entry> ordered = new LinkedHashMap<>();
    long at = 0;
    for (Entry entry : sorted) {
      if (entry.begin != at) {
        throw refused(
            file,
            "tensor %s begins at data offset %d, %s at %d"
                .formatted(
                    entry.spec.name(),
                    entry.begin,
                    entry.begin < at
                        ? "inside another one that ends"
                        : "and leaves a gap behind the one that ends",
                    at));
      }
      at = entry.end;
      ordered.put(entry.spec.name(), entry);
    }
    if (at > fileBytes - dataStart) {
      throw cutOff(file, fileBytes, dataStart + at);
    }
    if (at < fileBytes - dataStart) {
      throw refused(
          file,
          "it has %,d bytes, and its header describes %,d; nothing may follow the last tensor"
              .formatted(fileBytes, dataStart + at));
    }
    return ordered;
  }

  private static GatunException refused(Path file, String why) {
    return new GatunException(
        "%s is not a valid safetensors file: %s; download or write it again".formatted(file, why));
  }

  private static GatunException cutOff(Path file, long found, long expected) {
    return new GatunException(
        "%s is cut off: it has %,d bytes, and its header describes %s; download or copy it again"
            .formatted(file, found, "%,d".formatted(expected)));
  }

  /** Builds the entries from the JSON, token by token. */
  private static final class Parse {
    private final Path file;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private boolean metadataSeen;

    Parse(Path file) {
      this.file = file;
    }

    void run(InputStream in) throws IOException {
      try (JsonParser json = JSON.createParser(in)) {
        if (json.nextToken() != JsonToken.START_OBJECT) {
          throw refused(file, "its header is not a JSON object");
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          if (json.nextToken() != JsonToken.START_OBJECT) {
            throw refused(
                file, "'%s' in its header is not an object, but %s".formatted(name, found(json)));
          }
          if (name.equals("__metadata__")) {
            metadata(json);
          } else if (entries.put(name, entry(name, json)) != null) {
            throw refused(file, "tensor %s stands twice in its header".formatted(name));
          }
        }
        if (json.nextToken() != null) {
          throw refused(file, "something follows the JSON object of its header");
        }
      }
    }

    private void metadata(JsonParser json) throws IOException {
      if (metadataSeen) {
        throw refused(file, "__metadata__ stands twice in its header");
      }
      metadataSeen = true;
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        if (json.nextToken() != JsonToken.VALUE_STRING) {
          throw refused(
              file, "__metadata__ holds texts, and '%s' is %s".formatted(key, found(json)));
        }
        metadata.put(key, json.getText());
      }
    }

    private Entry entry(String name, JsonParser json) throws IOException {
      TensorType type = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        json.nextToken();
        switch (key) {
          case "dtype" -> type = once(name, key, type, type(name, json));
          case "shape" -> shape = once(name, key, shape, numbers(name, key, json));
          case "data_offsets" -> offsets = once(name, key, offsets, numbers(name, key, json));
          default -> json.skipChildren();
        }
      }
      if (type == null || shape == null || offsets == null) {
        throw refused(
            file,
            "tensor %s has no %s"
                .formatted(
                    name, type == null ? "dtype" : shape == null ? "shape" : "data_offsets"));
      }
      return checked(new TensorSpec(name, type, shape), offsets);
    }

    private Entry checked(TensorSpec spec, List<Long> offsets) {
      if (offsets.size() != 2 || offsets.get(0) > offsets.get(1)) {
        throw refused(
            file,
            "tensor %s has data_offsets %s, not [begin, end]".formatted(spec.name(), offsets));
      }
      if (spec.type() == TensorType.OTHER) {
        return new Entry(spec, offsets.get(0), offsets.get(1));
      }
      long bytes;
      try {
        bytes = spec.bytes();
      } catch (ArithmeticException e) {
        throw refused(
            file,
            "tensor %s of shape %s would pass 2^63 bytes".formatted(spec.name(), spec.shape()));
      }
      if (bytes != offsets.get(1) - offsets.get(0)) {
        throw refused(
            file,
            "tensor %s of shape %s and type %s takes %,d bytes, its data_offsets %s span %,d"
                .formatted(
                    spec.name(),
                    spec.shape(),
                    spec.type(),
                    bytes,
                    offsets,
                    offsets.get(1) - offsets.get(0)));
      }
      return new Entry(spec, offsets.get(0), offsets.get(1));
    }

    private <T> T once(String name, String key, T before, T value) {
      if (before != null) {
        throw refused(file, "tensor %s has two %s".formatted(name, key));
      }
      return value;
    }

    private TensorType type(String name, JsonParser json) throws IOException {
      if (json.currentToken() == JsonToken.VALUE_STRING) {
        for (TensorType type : TensorType.values()) {
          if (type.name().equals(json.getText())) {
            return type;
          }
        }
        return TensorType.OTHER;
      }
      throw refused(
          file, "tensor %s has dtype %s, not the name of a type".formatted(name, found(json)));
    }

    private List<Long> numbers(String name, String key, JsonParser json) throws IOException {
      if (json.currentToken() != JsonToken.START_ARRAY) {
        throw refused(file, "tensor %s has as %s %s, not a list".formatted(name, key, found(json)));
      }
      List<Long> numbers = new ArrayList<>();
      while (json.nextToken() != JsonToken.END_ARRAY) {
        boolean isLong =
            json.currentToken() == JsonToken.VALUE_NUMBER_INT
                && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
        if (!isLong || json.getLongValue() < 0) {
          throw refused(
              file,
              "tensor %s has %s in its %s, not a whole number from 0 to 2^63 - 1"
                  .formatted(name, found(json), key));
        }
        numbers.add(json.getLongValue());
      }
      return numbers;
    }

    private static String found(JsonParser json) throws IOException {
      return switch (json.currentToken()) {
        case START_OBJECT -> "an object";
        case START_ARRAY -> "a list";
        case VALUE_STRING -> "'" + json.getText() + "'";
        default -> json.getText();
      };
    }
  }

  /** The first {@code left} bytes of a stream. */
  private static final class Bounded extends InputStream {
    private final InputStream in;
    private long left;

    Bounded(InputStream in, long bytes) {
      this.in = in;
      this.left = bytes;
    }

    @Override
    public int read() throws IOException {
      int read = left > 0 ? in.read() : -1;
      if (read >= 0) {
        left--;
      }
      return read;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
      int read = left > 0 ? in.read(to, offset, (int) Math.min(left, length)) : -1;
      if (read > 0) {
        left -= read;
      }
      return read;
    }
  }
}
