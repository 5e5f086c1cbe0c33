package io.gatun.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * What a backup writes down of itself in small text files named {@code backup}: in its folder, which
 * store it is of; in each conversation's folder, digests of what was put there. A conversation with
 * another digest was gone on with in the backup, and is not overwritten.
 *
 * <pre>
 *   gatun backup 1
 *   a line for each fact
 * </pre>
 */
final class BackupMark {
  static final String NAME = "backup";

  private static final String FIRST_LINE = "gatun backup 1";

  /** Token ids that are digested at a time. */
  private static final int IDS = 4096;

  /** Nobody writes more; so a foreign file is not read whole. */
  private static final long MOST_BYTES = 1 << 16;

  private BackupMark() {}

  /** The facts; none if the file is absent or is not such a mark. */
  static List<String> read(Path folder) throws IOException {
    Path file = folder.resolve(NAME);
    if (!FileLook.isFile(file) || FileLook.size(file) > MOST_BYTES) {
      return List.of();
    }
    List<String> lines = new String(Files.readAllBytes(file), UTF_8).lines().toList();
    return lines.isEmpty() || !lines.getFirst().equals(FIRST_LINE)
        ? List.of()
        : lines.subList(1, lines.size());
  }

  /** Writes the facts, durably, over what is there; a crash leaves the old ones or the new. */
  static void write(Path folder, List<String> facts) throws IOException {
    Path unfinished = folder.resolve(NAME + ".new");
    Files.deleteIfExists(unfinished);
    Folders.createFile(unfinished);
    byte[] text = (FIRST_LINE + "\n" + String.join("\n", facts) + "\n").getBytes(UTF_8);
    Uninterrupted.call(() -> {
      try (FileChannel channel =
          FileChannel.open(unfinished, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.WRITE)) {
        ByteBuffer bytes = ByteBuffer.wrap(text);
        while (bytes.hasRemaining()) {
          channel.write(bytes, bytes.position());
        }
        channel.force(true);
      }
      return null;
    });
    Files.move(
        unfinished,
        folder.resolve(NAME),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
    Folders.force(folder);
  }

  /** A digest over all that a conversation is: token ids, and where its rows lie with checksums. */
  static String digest(JournalHeader header, JournalState state) {
    Tokens tokens = state.tokens();
    MessageDigest digest = Fingerprint.sha256();
    add(digest, header.owner(), tokens.count());
    int[] ids = new int[Math.min(tokens.count(), IDS)];
    for (int done = 0; done < tokens.count(); done += ids.length) {
      int some = Math.min(ids.length, tokens.count() - done);
      tokens.copy(done, ids, 0, some);
      add(digest, some == ids.length ? ids : Arrays.copyOf(ids, some));
    }
    for (RunState run : state.runs()) {
      add(digest, (int) (run.block() >>> 32), (int) run.block(), run.tokens());
      add(digest, run.ends());
      add(digest, run.crcs());
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void add(MessageDigest digest, int... numbers) {
    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * numbers.length);
    bytes.asIntBuffer().put(numbers);
    digest.update(bytes);
  }
}
