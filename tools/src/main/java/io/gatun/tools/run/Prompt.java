package io.gatun.tools.run;

import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import io.gatun.tools.model.ChatTemplate;
import io.gatun.tools.model.Tokenizer;
import io.gatun.tools.recall.Recall;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The text that a run is given: contexts, then the prompt.
 *
 * @param isWhole whether it is the whole conversation from its beginning; else it follows what the
 *     conversation holds
 * @param templated whether the prompt stands in a chat template, which spells out its special tokens
 */
record Prompt(String context, String prompt, boolean isWhole, boolean templated) {

  /** Reads the files of a request. */
  static Prompt read(RunRequest request) {
    if (request.isDemo()) {
      return new Prompt(Recall.text(), Recall.defaultPrompt(), true, false);
    }
    StringBuilder context = new StringBuilder();
    for (Path file : request.contexts()) {
      context.append(read(file));
    }
    String prompt = request.prompt() == null ? "" : request.prompt();
    if (request.chat()) {
      if (request.model() == null) {
        throw new GatunException("the built-in model has no chat template; give a --model");
      }
      prompt =
          ChatTemplate.read(request.model())
              .render(List.of(new ChatTemplate.Message("user", prompt)));
    }
    return new Prompt(context.toString(), prompt, !request.contexts().isEmpty(), request.chat());
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

  /**
   * The token ids, context and prompt encoded apart, so that a context has the same tokens whatever
   * prompt follows.
   *
   * @param begins whether they begin the conversation: then a begin-of-text token comes first
   */
  int[] encode(Tokenizer tokenizer, boolean begins) {
    int[] first = context.isEmpty() ? new int[0] : tokenizer.encode(context, begins);
    int[] second =
        prompt.isEmpty()
            ? new int[0]
            : tokenizer.encode(prompt, begins && context.isEmpty() && !templated);
    return IntStream.concat(IntStream.of(first), IntStream.of(second)).toArray();
  }
}
