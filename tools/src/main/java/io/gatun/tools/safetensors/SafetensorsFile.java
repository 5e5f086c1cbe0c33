package io.gatun.tools.safetensors;

import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A safetensors file, mapped: no byte of a tensor is read before it is used, none is copied to the
 * heap. Any thread. The file must not be cut off while it is mapped: the system would end the
 * process.
 */
public final class SafetensorsFile implements AutoCloseable {
  private final Path path;
  private final SafetensorsHeader header;
  private final Arena arena;
  private final Map<String, Tensor> tensors;

  private SafetensorsFile(
      Path path, SafetensorsHeader header, Arena arena, Map<String, Tensor> tensors) {
    this.path = path;
    this.header = header;
    this.arena = arena;
    this.tensors = tensors;
  }

  /**
   * Checks a file's header and maps the file.
   *
   * @throws GatunException if it cannot be read or is not valid
   */
  public static SafetensorsFile open(Path path) {
    SafetensorsHeader header = SafetensorsHeader.read(path);
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(UserFiles.require(path), StandardOpenOption.READ)) {
      MemorySegment map = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (SafetensorsHeader.Entry entry : header.entries().values()) {
        MemorySegment data =
            map.asSlice(header.dataStart() + entry.begin(), entry.end() - entry.begin());
        tensors.put(entry.spec().name(), new Tensor(entry.spec(), data, path));
      }
      return new SafetensorsFile(path, header, arena, Map.copyOf(tensors));
    } catch (IOException e) {
      arena.close();
      throw new GatunException("cannot map %s: %s".formatted(path, e), e);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /** Where the file is. */
  public Path path() {
    return path;
  }

  /** Its header; the entries stand in the order of their data. */
  public SafetensorsHeader header() {
    return header;
  }

  /** Its tensors by name. */
  public Map<String, Tensor> tensors() {
    return tensors;
  }

  /** Unmaps the file; using a tensor afterwards throws {@link IllegalStateException}. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
