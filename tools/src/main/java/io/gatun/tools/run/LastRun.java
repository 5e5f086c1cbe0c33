package io.gatun.tools.run;

import io.gatun.tools.text.ChatTemplate.Message;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;

/**
 * What the last run of a conversation was given, kept beside the conversation: so that the same
 * command after a kill goes on where it was, and a chat knows its messages.
 *
 * @param messages of a chat, up to the one that is answered; empty for plain text
 * @param begun when the chat began: a template's date stays that of its first turn
 * @param from the token at which what was given begins
 * @param count how many tokens it has
 * @param begins whether special tokens that begin a text were added
 * @param digest of what was given: of the text, or of a chat's tokens
 * @param done whether the run came to its end
 */
record LastRun(
    List<Message> messages,
    Instant begun,
    int from,
    int count,
    boolean begins,
    String digest,
    boolean done) {
  LastRun {
    messages = List.copyOf(messages);
  }

  boolean isChat() {
    return !messages.isEmpty();
  }

  LastRun finished() {
    return new LastRun(messages, begun, from, count, begins, digest, true);
  }

  static String digest(String text) {
    return HexFormat.of().formatHex(sha256().digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  static String digest(int[] ids, int count) {
    MessageDigest sha256 = sha256();
    for (int i = 0; i < count; i++) {
      for (int shift = 0; shift < Integer.SIZE; shift += Byte.SIZE) {
        sha256.update((byte) (ids[i] >>> shift));
      }
    }
    return HexFormat.of().formatHex(sha256.digest());
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
