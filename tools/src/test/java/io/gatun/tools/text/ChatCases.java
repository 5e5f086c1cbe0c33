package io.gatun.tools.text;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tools.text.ChatTemplate.Message;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The templates of the tests, and what jinja2 makes of them: {@code record.py}. */
public final class ChatCases {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ChatCases() {}

  /** What strftime_now says while the texts are compared. */
  static Clock clock() {
    ZoneId zone = ZoneId.systemDefault();
    return Clock.fixed(LocalDateTime.of(2026, 3, 7, 5, 4, 9).atZone(zone).toInstant(), zone);
  }

  private static byte[] bytes(String name) throws IOException {
    try (InputStream in = ChatCases.class.getResourceAsStream("chat/" + name)) {
      return in.readAllBytes();
    }
  }

  /** By template, conversation and whether an answer is prepared; null where jinja2 refuses. */
  static JsonNode expected() throws IOException {
    return JSON.readTree(bytes("expected.json"));
  }

  static Map<String, List<Message>> conversations() throws IOException {
    return JSON.readValue(
        bytes("conversations.json"), new TypeReference<Map<String, List<Message>>>() {});
  }

  /** The names of all templates. */
  public static List<String> templates() throws IOException {
    TreeSet<String> names = new TreeSet<>();
    expected().fieldNames().forEachRemaining(name -> names.add(name.split("/")[0]));
    return List.copyOf(names);
  }

  /** The text of a template. */
  public static String template(String name) throws IOException {
    return new String(bytes("templates/" + name + ".jinja"), StandardCharsets.UTF_8);
  }
}
