package io.gatun.tools.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import io.gatun.tools.config.JsonFields;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How a model wants a conversation written out. Templates are Jinja programs; Gatun does not run
 * them, but recognises the three families that nearly all of these models use and writes the same
 * text. Any other template is refused, never guessed at. Any thread.
 *
 * <p>The text holds the begin-of-text token where the template does: encode it without adding
 * special tokens.
 */
public final class ChatTemplate {
  /** One message; the role is {@code system}, {@code user} or {@code assistant}. */
  public record Message(String role, String content) {
    /** Checks the role. */
    public Message {
      if (!List.of("system", "user", "assistant").contains(role)) {
        throw new IllegalArgumentException("role '%s' is not known".formatted(role));
      }
    }
  }

  private enum Family {
    LLAMA3,
    CHATML,
    MISTRAL
  }

  /** ChatML's system message where none is given, as Qwen's templates spell it. */
  private static final Pattern DEFAULT_SYSTEM =
      Pattern.compile("<\\|im_start\\|>system\\\\n([^'{}<]+)<\\|im_end\\|>");

  private final Family family;
  private final String template;
  private final String bos;

  private ChatTemplate(Family family, String template, String bos) {
    this.family = family;
    this.template = template;
    this.bos = bos;
  }

  /**
   * The chat template of a model folder.
   *
   * @throws GatunException if there is none, or it is of no family that Gatun recognises
   */
  public static ChatTemplate read(Path folder) {
    Path config = folder.resolve("tokenizer_config.json");
    JsonFields json = Files.exists(config) ? JsonFields.read(config) : null;
    String template = template(folder, json);
    if (template == null) {
      throw new GatunException(
          "%s has no chat template; it is a model for plain text, leave the chat option out"
              .formatted(folder));
    }
    return of(template, json == null ? "" : token(json, "bos_token"), folder.toString());
  }

  /** The template with this Jinja text; {@code where} it stands is for messages. */
  static ChatTemplate of(String template, String bos, String where) {
    Family family = null;
    if (template.contains("<|start_header_id|>") && template.contains("<|eot_id|>")) {
      family = Family.LLAMA3;
    } else if (template.contains("<|im_start|>") && template.contains("<|im_end|>")) {
      family = Family.CHATML;
    } else if (template.contains("[INST]")
        && template.contains("[/INST]")
        && !template.contains("<<SYS>>")) {
      family = Family.MISTRAL;
    }
    if (family == null) {
      throw new GatunException(
          "the chat template in %s is none that Gatun recognises (Llama 3, ChatML, Mistral); write the prompt out as the model wants it and give it as plain text"
              .formatted(where));
    }
    return new ChatTemplate(family, template, bos);
  }

  private static String template(Path folder, JsonFields json) {
    Path file = folder.resolve("chat_template.jinja");
    if (Files.exists(file)) {
      try {
        return Files.readString(UserFiles.require(file));
      } catch (IOException e) {
        throw new GatunException("cannot read %s: %s".formatted(file, e), e);
      }
    }
    JsonNode node = json == null ? null : json.get("chat_template");
    if (node != null && node.isArray()) {
      for (JsonNode named : node) {
        if (named.path("name").asText().equals("default")) {
          node = named.path("template");
        }
      }
    }
    return node != null && node.isTextual() ? node.textValue() : null;
  }

  /** A special token, written as a text or as an object with the text in {@code content}. */
  private static String token(JsonFields json, String name) {
    JsonNode node = json.get(name);
    if (node != null && node.isObject()) {
      node = node.path("content");
    }
    return node != null && node.isTextual() ? node.textValue() : "";
  }

  /** The conversation as text, ready for the assistant's next answer. */
  public String render(List<Message> messages) {
    return switch (family) {
      case LLAMA3 -> llama3(messages);
      case CHATML -> chatMl(messages);
      case MISTRAL -> mistral(messages);
    };
  }

  private String llama3(List<Message> messages) {
    StringBuilder text = new StringBuilder(bos);
    List<Message> rest = messages;
    // Llama 3.1 and later always begin with a system message that gives two dates.
    if (template.contains("Cutting Knowledge Date")) {
      boolean given = !messages.isEmpty() && messages.getFirst().role().equals("system");
      header(text, "system");
      text.append("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n");
      text.append(given ? messages.getFirst().content().strip() : "").append("<|eot_id|>");
      rest = given ? messages.subList(1, messages.size()) : messages;
    }
    for (Message message : rest) {
      header(text, message.role());
      text.append(message.content().strip()).append("<|eot_id|>");
    }
    header(text, "assistant");
    return text.toString();
  }

  private static void header(StringBuilder text, String role) {
    text.append("<|start_header_id|>").append(role).append("<|end_header_id|>\n\n");
  }

  private String chatMl(List<Message> messages) {
    StringBuilder text = new StringBuilder();
    boolean systemGiven = !messages.isEmpty() && messages.getFirst().role().equals("system");
    Matcher system = DEFAULT_SYSTEM.matcher(template);
    if (!systemGiven && system.find()) {
      turn(text, "system", system.group(1));
    }
    for (Message message : messages) {
      turn(text, message.role(), message.content());
    }
    return text.append("<|im_start|>assistant\n").toString();
  }

  private static void turn(StringBuilder text, String role, String content) {
    text.append("<|im_start|>").append(role).append('\n');
    text.append(content).append("<|im_end|>\n");
  }

  private String mistral(List<Message> messages) {
    // The versions differ in the blanks around a turn alone.
    String before = template.contains("[INST] ") ? "[INST] " : "[INST]";
    String after = template.contains(" [/INST]") ? " [/INST]" : "[/INST]";
    String beforeAnswer = template.contains("' ' + message") ? " " : "";
    StringBuilder text = new StringBuilder(bos);
    for (Message message : messages) {
      switch (message.role()) {
        case "user" -> text.append(before).append(message.content()).append(after);
        case "assistant" -> text.append(beforeAnswer).append(message.content()).append("</s>");
        default ->
            throw new GatunException(
                "the versions of Mistral's chat template place a system message differently; put it"
                    + " at the front of the first user message");
      }
    }
    return text.toString();
  }
}
