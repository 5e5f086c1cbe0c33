package io.gatun.tools.convert;

import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;

/**
 * Fitted tensors on their way to the file that they go into: in nameless files, mapped, so that a
 * large model's take neither heap nor memory that cannot be paged out.
 */
final class TensorScratch implements AutoCloseable {
  private static final int PIECE = 1 << 24;

  private final Path folder;
  private final Arena arena = Arena.ofShared();
  private final Map<String, MemorySegment> tensors = new HashMap<>();

  /** Scratch files in this folder. */
  TensorScratch(Path folder) {
    this.folder = folder;
  }

  /** Keeps a copy of an encoded tensor. */
  void put(String name, MemorySegment encoded) {
    // A plain write says when the disk is full; a store to a mapped hole would end the process.
    Path file = folder.resolve(".fitted");
    try (FileChannel channel =
        PrivateFiles.open(
            file,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      for (long at = 0; at < encoded.byteSize(); ) {
        long size = Math.min(PIECE, encoded.byteSize() - at);
        at += channel.write(encoded.asSlice(at, size).asByteBuffer());
      }
      tensors.put(name, channel.map(MapMode.READ_ONLY, 0, encoded.byteSize(), arena));
      Files.delete(file);
    } catch (IOException e) {
      throw new GatunException("cannot keep %s in %s: %s".formatted(name, folder, e), e);
    }
  }

  /** The tensors by name, encoded. */
  Map<String, MemorySegment> tensors() {
    return tensors;
  }

  @Override
  public void close() {
    arena.close();
  }
}
