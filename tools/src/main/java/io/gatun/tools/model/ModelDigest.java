package io.gatun.tools.model;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.PrivateFiles;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.SafetensorsFile;
import io.gatun.tools.safetensors.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * SHA-256 over the names, types, shapes and bytes of all tensors of a checkpoint, in the order of
 * their names: how they are spread over files does not matter.
 *
 * <p>Reading all weights takes a second or more, so the result is noted in the user's cache folder
 * under a key of path, size, times and inode of each file; a file that was changed in any way gets
 * another key. Where nothing can be noted, the weights are read each time.
 */
final class ModelDigest {
  /** Bytes of a piece: pieces are digested in parallel, then their digests are. */
  private static final long PIECE = 1 << 24;

  /** Raised when a note says more than before: that all weights are finite, since 2. */
  private static final int FORM = 2;

  private ModelDigest() {}

  /** A stretch of a tensor. */
  private record Piece(Tensor tensor, long from, long to) {}

  /**
   * The digest, from the note or from the weights.
   *
   * @param notes the folder of notes
   * @return 64 hexadecimal digits
   * @throws GatunException if a weight is not finite; it names the tensor and the element
   */
  static String of(Checkpoint checkpoint, Team team, Path notes) {
    Path note = notes.resolve(key(checkpoint) + ".sha256");
    String known = read(note);
    if (known != null) {
      return known;
    }
    String digest = compute(List.copyOf(checkpoint.tensors().values()), team);
    write(note, digest);
    return digest;
  }

  /** The folder of notes: {@code gatun/digests} in the user's cache folder. */
  static Path defaultNotes() {
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base =
        cache != null && Path.of(cache).isAbsolute()
            ? Path.of(cache)
            : Path.of(System.getProperty("user.home"), ".cache");
    return base.resolve("gatun").resolve("digests");
  }

  private static String compute(List<Tensor> tensors, Team team) {
    List<Piece> pieces = new ArrayList<>();
    for (Tensor tensor : tensors) {
      for (long from = 0; from < tensor.data().byteSize(); from += PIECE) {
        pieces.add(new Piece(tensor, from, Math.min(tensor.data().byteSize(), from + PIECE)));
      }
    }
    byte[][] digests = new byte[pieces.size()][];
    team.run(pieces.size(), (task, worker) -> digests[task] = digest(pieces.get(task)));
    MessageDigest all = sha256();
    int piece = 0;
    for (Tensor tensor : tensors) {
      String head = "%s %s %s\n".formatted(tensor.name(), tensor.type(), tensor.spec().shape());
      all.update(head.getBytes(StandardCharsets.UTF_8));
      for (long from = 0; from < tensor.data().byteSize(); from += PIECE) {
        all.update(digests[piece++]);
      }
    }
    return HexFormat.of().formatHex(all.digest());
  }

  private static byte[] digest(Piece piece) {
    MemorySegment bytes = piece.tensor.data().asSlice(piece.from, piece.to - piece.from);
    NonFinite.refuse(piece.tensor, bytes, piece.from);
    MessageDigest digest = sha256();
    digest.update(bytes.asByteBuffer());
    return digest.digest();
  }

  private static String key(Checkpoint checkpoint) {
    MessageDigest key = sha256();
    key.update(("form " + FORM).getBytes(StandardCharsets.UTF_8));
    for (SafetensorsFile file : checkpoint.files()) {
      try {
        Path path = file.path().toRealPath();
        String view =
            path.getFileSystem().supportedFileAttributeViews().contains("unix")
                ? "unix:size,lastModifiedTime,ctime,ino,dev"
                : "size,lastModifiedTime,fileKey";
        String attributes =
            new java.util.TreeMap<>(Files.readAttributes(path, view, LinkOption.NOFOLLOW_LINKS))
                .toString();
        key.update((path + "\n" + attributes + "\n").getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        throw new GatunException("cannot read %s: %s".formatted(file.path(), e), e);
      }
    }
    return HexFormat.of().formatHex(key.digest());
  }

  /** The noted digest; null if there is none that is whole. */
  private static String read(Path note) {
    try {
      String text = Files.isRegularFile(note) ? Files.readString(note).strip() : "";
      return text.matches("[0-9a-f]{64}") ? text : null;
    } catch (IOException e) {
      // A note that cannot be read is as good as none: the weights tell.
      return null;
    }
  }

  private static void write(Path note, String digest) {
    try {
      PrivateFiles.createFolders(note.getParent());
      Path temporary = Files.createTempFile(note.getParent(), "note", ".part");
      Files.writeString(temporary, digest + "\n");
      Files.move(temporary, note, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      // Only the time of the next start is lost, and there is nothing to tell the user to do.
      return;
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
