package io.gatun.tools.run;

import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import io.gatun.tools.recall.Recall;
import io.gatun.tools.text.ChatTemplate;
import io.gatun.tools.text.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The text that a run is given: contexts, then the prompt.
 *
 * @param system the system message of a chat; null if none is given
 * @param isWhole whether it is the whole conversation from its beginning; else it follows what the
 *     conversation holds
 * @param template writes a chat out; null for plain text
 */
record Prompt(
    String context, String prompt, String system, boolean isWhole, ChatTemplate template) {

  /** Reads the files of a request. */
  static Prompt read(RunRequest request) {
    if (request.isDemo()) {
      return new Prompt(Recall.text(), Recall.defaultPrompt(), null, true, null);
    }
    StringBuilder context = new StringBuilder();
    for (Path file : request.contexts()) {
      context.append(read(file));
    }
    if (request.chat() && request.model() == null) {
      throw new GatunException("the built-in model has no chat template; give a --model");
    }
    return new Prompt(
        context.toString(),
        request.prompt() == null ? "" : request.prompt(),
        request.system(),
        !request.contexts().isEmpty(),
        request.chat() ? ChatTemplate.read(request.model()) : null);
  }

  private static String read(Path file) {
    try {
      return Files.readString(UserFiles.require(file));
    } catch (CharacterCodingException e) {
      throw new GatunException("%s is not UTF-8 text".formatted(file), e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  boolean isChat() {
    return template != null;
  }

  /** All of the text. */
  String text() {
    return context + prompt;
  }

  /**
   * The token ids of plain text, context and prompt encoded apart, so that a context has the same
   * tokens whatever prompt follows.
   *
   * @param begins whether they begin the conversation: then special tokens stand around them
   */
  int[] encode(Tokenizer tokenizer, boolean begins) {
    return tokenizer.encode(context, prompt, begins);
  }
}
