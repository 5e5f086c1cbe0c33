package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import io.gatun.tools.cli.Progress;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.Q8Encoder;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Finds a model's rounded weights in a file beside it, or rounds them and writes the file. A file
 * that is damaged, of other weights or of another version is made anew, with a message; one that is
 * no such file at all is left alone and refused. A new file gets its name when it is whole and on
 * disk, so none that is half written is ever found, and a process that has the old one mapped keeps
 * it. Only its owner may read it.
 */
final class Q8Weights {
  private static final Pattern PART = Pattern.compile("gatun-q8.*\\.weights\\.(\\d+)\\.part");

  /** Chunks that are rounded before they are written, for each thread. */
  private static final int AHEAD = 4;

  private Q8Weights() {}

  /**
   * The rounded matrices by name, mapped into {@code arena}.
   *
   * @param model the model's folder
   * @param source digest of its weights
   * @throws GatunException if they cannot be written or read
   */
  static Map<String, Matrix> of(
      Path model,
      List<Matrix> matrices,
      String source,
      WeightOptions options,
      Team team,
      Arena arena) {
    // In a folder of their own, files of several models must not meet.
    Path file =
        options.folder() == null
            ? model.resolve("gatun-q8.weights")
            : options.folder().resolve("gatun-q8-" + source.substring(0, 16) + ".weights");
    Q8File layout = new Q8File(matrices, source);
    try {
      Map<String, Matrix> found = open(file, layout, options.messages(), team, arena);
      if (found != null) {
        return found;
      }
      make(file, layout, options, team);
      try (FileChannel channel = Q8File.open(file)) {
        return layout.map(channel, arena);
      }
    } catch (IOException e) {
      throw new GatunException(
          "cannot read the rounded weights %s: %s; remove the file, and it is made anew"
              .formatted(file, e.getMessage()),
          e);
    }
  }

  /** The matrices of a file that is there and right; null if one is to be made. */
  private static Map<String, Matrix> open(
      Path file, Q8File layout, Consumer<String> messages, Team team, Arena arena)
      throws IOException {
    if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      return null;
    }
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new GatunException(
          "%s is not a plain file, and rounded weights go there; move it away".formatted(file));
    }
    try (FileChannel channel = Q8File.open(file)) {
      Q8File.Finding finding = layout.check(channel, team);
      if (finding == null) {
        return layout.map(channel, arena);
      }
      if (finding.isForeign()) {
        throw new GatunException(
            "%s is where the rounded weights go, but %s; move it away, or give another folder with"
                    .formatted(file, finding.reason())
                + " --weights-dir");
      }
      messages.accept("%s is not used: %s; it is made anew".formatted(file, finding.reason()));
      return null;
    }
  }

  private static void make(Path file, Q8File layout, WeightOptions options, Team team) {
    Path folder = file.toAbsolutePath().getParent();
    try {
      if (options.folder() != null) {
        PrivateFiles.createFolders(folder);
      }
      if (!Files.isWritable(folder)) {
        throw new GatunException(
            "%s cannot be written, and rounded weights (%s) go there; give another folder with"
                    .formatted(folder, Sizes.human(layout.bytes()))
                + " --weights-dir");
      }
      removeLeftovers(folder);
      long free = Files.getFileStore(folder).getUsableSpace();
      if (free < layout.bytes()) {
        throw new GatunException(
            "the rounded weights take %s, and %s has %s free; give another folder with --weights-dir"
                .formatted(Sizes.human(layout.bytes()), folder, Sizes.human(free)));
      }
      options
          .messages()
          .accept(
              "rounding weights to 8 bits, once: %s in %s"
                  .formatted(Sizes.human(layout.bytes()), file));
      String name = "%s.%d.part".formatted(file.getFileName(), ProcessHandle.current().pid());
      Path part = folder.resolve(name);
      try {
        write(part, layout, team);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(part);
      }
    } catch (IOException e) {
      String why =
          e instanceof FileSystemException fs && fs.getReason() != null
              ? fs.getReason()
              : e.getMessage();
      throw new GatunException(
          "cannot write the rounded weights %s (%s): %s; is the disk full? --weights-dir gives another folder"
              .formatted(file, Sizes.human(layout.bytes()), why),
          e);
    }
  }

  /** Unfinished files of processes that are no more. */
  private static void removeLeftovers(Path folder) throws IOException {
    try (Stream<Path> list = Files.list(folder)) {
      for (Path path : list.toList()) {
        Matcher name = PART.matcher(path.getFileName().toString());
        if (name.matches() && ProcessHandle.of(Long.parseLong(name.group(1))).isEmpty()) {
          Files.deleteIfExists(path);
        }
      }
    }
  }

  private static void write(Path part, Q8File layout, Team team) throws IOException {
    List<Q8File.Chunk> chunks = layout.chunks();
    int ahead = AHEAD * team.threads();
    Q8Encoder[] encoders = new Q8Encoder[team.threads()];
    for (int i = 0; i < encoders.length; i++) {
      encoders[i] = new Q8Encoder();
    }
    ByteBuffer checks = ByteBuffer.allocate(4 * chunks.size()).order(ByteOrder.LITTLE_ENDIAN);
    try (Arena arena = Arena.ofShared();
        Progress progress = Progress.bytes("rounding weights", layout.checksAt());
        FileChannel channel =
            PrivateFiles.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      MemorySegment[] rows = new MemorySegment[ahead];
      for (int i = 0; i < ahead; i++) {
        rows[i] = arena.allocate(layout.chunkBytes(), 64);
      }
      write(channel, ByteBuffer.wrap(layout.head()));
      for (int done = 0; done < chunks.size(); done += ahead) {
        int first = done;
        int count = Math.min(ahead, chunks.size() - done);
        team.run(
            count,
            (task, worker) -> {
              Q8File.Chunk chunk = chunks.get(first + task);
              encoders[worker].encode(chunk.matrix(), chunk.from(), chunk.to(), rows[task]);
            });
        for (int i = 0; i < count; i++) {
          ByteBuffer bytes = rows[i].asSlice(0, chunks.get(first + i).bytes()).asByteBuffer();
          checks.putInt(Q8File.crc(bytes));
          write(channel, bytes.flip());
        }
        progress.to(channel.position());
      }
      write(channel, checks.flip());
      channel.force(true);
    }
  }

  private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
