package io.gatun.tools.run;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.text.ChatTemplate.Message;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The file {@code last-run.json} in a conversation's folder: {@link LastRun}. It goes where the
 * folder goes and is deleted with it. For the owner only, replaced in one step, forced before
 * tokens are added. Used while the conversation is open for writing.
 *
 * <p>Design note: not in the journal, whose records are the store's: the store knows tokens, not
 * messages. Without the file nothing is lost but the wording of the messages.
 */
final class LastRunFile {
  private static final int VERSION = 1;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path file;

  LastRunFile(Path store, String conversation) {
    this.file = store.resolve("conversations").resolve(conversation).resolve("last-run.json");
  }

  /** What it says; null if there is none. */
  LastRun read() {
    if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      return null;
    }
    try {
      if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
        throw new GatunException("%s is no file of its own; remove it".formatted(file));
      }
      JsonNode json = JSON.readTree(file.toFile());
      if (json.path("version").asInt() != VERSION) {
        throw new GatunException(
            "%s has version %s, this Gatun reads %d; use the newer Gatun, or remove the file and lose the chat's messages"
                .formatted(file, json.path("version"), VERSION));
      }
      List<Message> messages = new ArrayList<>();
      for (JsonNode message : json.path("messages")) {
        messages.add(new Message(message.path("role").asText(), message.path("content").asText()));
      }
      return new LastRun(
          messages,
          Instant.parse(json.path("begun").asText()),
          json.path("from").asInt(),
          json.path("count").asInt(),
          json.path("begins").asBoolean(),
          json.path("digest").asText(),
          json.path("done").asBoolean());
    } catch (JacksonException | DateTimeException e) {
      throw new GatunException(
          "%s is damaged (%s); remove it, the tokens stay".formatted(file, e.getMessage()), e);
    } catch (IOException e) {
      throw new GatunException("cannot read %s: %s".formatted(file, e), e);
    }
  }

  /** Replaces it, durably. */
  void write(LastRun run) {
    ObjectNode json = JSON.createObjectNode();
    json.put("version", VERSION).put("begun", run.begun().toString());
    json.put("from", run.from()).put("count", run.count()).put("begins", run.begins());
    json.put("digest", run.digest()).put("done", run.done());
    for (Message message : run.messages()) {
      json.withArray("messages")
          .addObject()
          .put("role", message.role())
          .put("content", message.content());
    }
    Path fresh = file.resolveSibling("last-run.json.new");
    try {
      Files.deleteIfExists(fresh);
      write(fresh, JSON.writeValueAsBytes(json));
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
      try (FileChannel folder = FileChannel.open(file.getParent(), StandardOpenOption.READ)) {
        folder.force(true);
      }
    } catch (IOException e) {
      throw new GatunException("cannot write %s: %s".formatted(file, e), e);
    }
  }

  private static void write(Path fresh, byte[] bytes) throws IOException {
    boolean posix = fresh.getFileSystem().supportedFileAttributeViews().contains("posix");
    FileAttribute<?>[] ownerOnly =
        posix
            ? new FileAttribute<?>[] {
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
            }
            : new FileAttribute<?>[0];
    try (FileChannel channel =
        FileChannel.open(
            fresh, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), ownerOnly)) {
      ByteBuffer all = ByteBuffer.wrap(bytes);
      while (all.hasRemaining()) {
        channel.write(all);
      }
      channel.force(true);
    }
  }
}
