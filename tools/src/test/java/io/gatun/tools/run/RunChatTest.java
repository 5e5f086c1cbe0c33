package io.gatun.tools.run;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.tools.Gatun;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import io.gatun.tools.recall.Recall;
import io.gatun.tools.text.ByteTokenizerFile;
import io.gatun.tools.text.ChatCases;
import io.gatun.tools.text.ChatTemplate;
import io.gatun.tools.text.ChatTemplate.Message;
import io.gatun.tools.text.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Chats turn by turn, each turn a process of its own as far as the files can tell. */
class RunChatTest {
  private static final String TEMPLATE =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
          + "{% if add_generation_prompt %}<assistant>{% endif %}";

  @TempDir Path folder;
  private Path model;

  private record Ended(int code, String out, String err) {
    JsonNode json() throws IOException {
      return new ObjectMapper().readTree(out.strip().lines().reduce((a, b) -> b).orElseThrow());
    }
  }

  @BeforeEach
  void writeModel() throws IOException {
    model = folder.resolve("recall");
    Recall.write(model);
    template(TEMPLATE);
  }

  private void template(String jinja) throws IOException {
    Files.writeString(model.resolve("chat_template.jinja"), jinja);
  }

  private Ended run(Object... more) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    List<String> words =
        new ArrayList<>(List.of("run", "--model", model.toString(), "--store", store(), "--json"));
    for (Object word : more) {
      words.add(word.toString());
    }
    CommandLine line = Gatun.commandLine();
    line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    int code = line.execute(words.toArray(String[]::new));
    return new Ended(code, out.toString(), err.toString());
  }

  private Ended chat(String id, String prompt, int tokens) {
    Ended ended = run("--chat", "--conversation", id, "--prompt", prompt, "--max-tokens", tokens);
    assertThat(ended.code).as(ended.err).isZero();
    return ended;
  }

  private String store() {
    return folder.resolve("store").toString();
  }

  private int[] stored(String id) {
    try (ConversationStore store = ConversationStore.open(Path.of(store()));
        var reader = store.read(id)) {
      return reader.tokens().toArray();
    }
  }

  private Path lastRun(String id) {
    return Path.of(store(), "conversations", id, "last-run.json");
  }

  /** The ids of a whole conversation, encoded at once. */
  private int[] atOnce(String id, List<Message> messages) throws IOException {
    JsonNode last = new ObjectMapper().readTree(lastRun(id).toFile());
    Clock clock = Clock.fixed(Instant.parse(last.get("begun").asText()), ZoneId.systemDefault());
    try (Tokenizer tokenizer = Tokenizer.load(model)) {
      return tokenizer.encode(ChatTemplate.read(model).withClock(clock).render(messages), false);
    }
  }

  private boolean isRefused(List<Message> messages) {
    try {
      return ChatTemplate.read(model).render(messages).isEmpty();
    } catch (GatunException e) {
      return true;
    }
  }

  private void assertTurns(String id, String... prompts) throws IOException {
    List<Message> messages = new ArrayList<>();
    for (String prompt : prompts) {
      messages.add(new Message("user", prompt));
      if (isRefused(messages)) {
        assertThat(run("--chat", "--conversation", id, "--prompt", prompt).code).isEqualTo(1);
        return;
      }
      Ended ended = chat(id, prompt, 7);
      int[] whole = atOnce(id, messages);
      int[] stored = stored(id);
      assertThat(Arrays.copyOf(stored, whole.length)).as(id + " " + prompt).isEqualTo(whole);
      JsonNode did = ended.json();
      assertThat(did.get("contextTokens").asInt()).isEqualTo(whole.length);
      assertThat(stored).hasSize(whole.length + did.get("generatedTokens").asInt());
      messages.add(new Message("assistant", did.get("text").asText()));
    }
  }

  @Test
  void turnByTurnIsAllAtOnceForEveryTemplate() throws IOException {
    for (String name : ChatCases.templates()) {
      template(ChatCases.template(name));
      assertTurns(name.substring(0, 2), "Hello lake", "The water", "And the locks?");
    }
    System.out.println("RunChatTest: 3 turns with each of " + ChatCases.templates().size());
  }

  @Test
  void aTurnReadsOnlyWhatIsNew() throws IOException {
    chat("c", "one", 9);
    JsonNode second = chat("c", "two", 9).json();
    int first = "<user>one</user><assistant>".length() + 9;
    assertThat(second.get("reusedTokens").asInt()).isEqualTo(first);
    assertThat(second.get("prefillTokens").asInt())
        .isEqualTo("</assistant><user>two</user><assistant>".length());
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(lastRun("c"))))
        .isEqualTo("rw-------");
  }

  @Test
  void anAnswerThatIsContinuedIsOneAnswer() throws IOException {
    String first = chat("c", "one", 5).json().get("text").asText();
    String rest = run("--conversation", "c", "--max-tokens", 4).json().get("text").asText();
    chat("c", "two", 1);
    assertThat(Arrays.copyOf(stored("c"), stored("c").length - 1))
        .isEqualTo(
            atOnce(
                "c",
                List.of(
                    new Message("user", "one"),
                    new Message("assistant", first + rest),
                    new Message("user", "two"))));
  }

  @Test
  void theSystemMessageBeginsTheChatAndStays() throws IOException {
    Object[] args = {"--chat", "--conversation", "c", "--max-tokens", 2, "--prompt"};
    assertThat(run(with(args, "one", "--system", "Be kind.")).code).isZero();
    assertThat(run(with(args, "two")).code).isZero();
    try (Tokenizer tokenizer = Tokenizer.load(model)) {
      int[] ids = stored("c");
      assertThat(tokenizer.decode(ids, 0, ids.length, false))
          .startsWith("<system>Be kind.</system><user>one</user><assistant>")
          .contains("</assistant><user>two</user><assistant>");
    }
    assertThat(run(with(args, "three", "--system", "Be rude.")).err)
        .contains("began with another system message");
    assertThat(run("--prompt", "x", "--system", "y").err).contains("--system needs --chat");
  }

  private static Object[] with(Object[] args, Object... more) {
    List<Object> all = new ArrayList<>(List.of(args));
    all.addAll(List.of(more));
    return all.toArray();
  }

  @Test
  void aChatOnPlainTextIsRefused() {
    run("--conversation", "c", "--prompt", "plain text", "--max-tokens", 1);
    Ended ended = run("--chat", "--conversation", "c", "--prompt", "x");
    assertThat(ended.code).isEqualTo(1);
    assertThat(ended.err).contains("plain text, not of a chat").doesNotContain("\tat ");
    assertThat(chat("other", "x", 1).code).isZero();
    Ended plain = run("--conversation", "other", "--prompt", "y", "--max-tokens", 1);
    assertThat(plain.err).contains("'other' is a chat; without --chat the prompt is plain text");
  }

  @Test
  void aChatThatWasTruncatedOtherwiseIsRefused() {
    chat("c", "one", 3);
    try (ConversationStore store = ConversationStore.open(Path.of(store()))) {
      store.truncate("c", 10);
    }
    Ended ended = run("--chat", "--conversation", "c", "--prompt", "two");
    assertThat(ended.err).contains("does not hold the tokens of its chat any more");
  }

  /** What a run leaves that is killed after it has read some of what it accepted. */
  private void killed(String id, int accepted, int read, int[] ids) {
    try (Model opened = Model.load(model);
        Team team = Team.of(1);
        ConversationStore store = ConversationStore.open(Path.of(store()));
        Conversation conversation =
            store.openOrCreate(
                id, opened.fingerprint(team), KvLayout.of(opened.kvShape(), opened.kvType()));
        Decoder decoder = new Decoder(opened, conversation.cache(), team)) {
      int from = conversation.tokens().count();
      conversation.accept(ids, 0, accepted);
      if (read > 0) {
        decoder.prefill(ids, 0, read);
      }
      conversation.commit();
      assertThat(conversation.tokens().count()).isEqualTo(from + accepted);
    }
  }

  @Test
  void thePromptOfAKilledRunIsNotAddedAgain() throws IOException {
    String prompt = "The lake is the reservoir that the canal draws on.";
    int[] ids = prompt.chars().toArray();
    int[][] cases = {{ids.length, 20}, {ids.length, 0}, {30, 10}, {30, 0}, {ids.length, 1}};
    for (int i = 0; i < cases.length; i++) {
      String id = "k" + i;
      killed(id, cases[i][0], cases[i][1], ids);
      JsonNode did = run("--conversation", id, "--prompt", prompt, "--max-tokens", 2).json();
      assertThat(did.get("contextTokens").asInt()).as(id).isEqualTo(ids.length);
      // The same behind what the conversation holds.
      int before = ids.length + 2;
      killed(id, cases[i][0], cases[i][1], ids);
      did = run("--conversation", id, "--prompt", prompt, "--max-tokens", 0).json();
      assertThat(did.get("contextTokens").asInt()).as(id).isEqualTo(before + ids.length);
      did = run("--conversation", id, "--prompt", prompt, "--max-tokens", 0).json();
      assertThat(did.get("contextTokens").asInt()).as(id).isEqualTo(before + 2 * ids.length);
    }
  }

  @Test
  void theMessageOfAKilledChatIsNotAddedAgain() throws IOException {
    int[] ids = "<user>one</user><assistant>".chars().toArray();
    killed("c", ids.length, 9, ids);
    JsonNode did = chat("c", "one", 3).json();
    assertThat(did.get("contextTokens").asInt()).isEqualTo(ids.length);
    // A run that did not come to its end: the same command goes on, another message closes it.
    String record = Files.readString(lastRun("c"));
    Files.writeString(lastRun("c"), record.replace("\"done\":true", "\"done\":false"));
    assertThat(chat("c", "one", 2).json().get("contextTokens").asInt()).isEqualTo(ids.length + 3);
    assertThat(Files.readString(lastRun("c"))).contains("\"done\":true");
    Files.writeString(lastRun("c"), record.replace("\"done\":true", "\"done\":false"));
    assertThat(chat("c", "two", 2).json().get("contextTokens").asInt())
        .isEqualTo(ids.length + 5 + "</assistant><user>two</user><assistant>".length());
  }

  @Test
  void aMessageThatWasNeverAnsweredIsLeftOut() throws IOException {
    chat("c", "one", 0);
    String record = Files.readString(lastRun("c"));
    Files.writeString(lastRun("c"), record.replace("\"done\":true", "\"done\":false"));
    Ended ended = chat("c", "two", 0);
    assertThat(ended.err).contains("was never answered and is left out");
    assertThat(stored("c")).isEqualTo("<user>two</user><assistant>".chars().toArray());
  }

  @Test
  void aRunThatFailsLeavesNoEmptyConversation() {
    assertThat(run("--conversation", "empty").err).contains("nothing to continue");
    // A token that the model does not have fails while it is read.
    ByteTokenizerFile.write(model, Map.of("<beyond>", 100_000));
    Ended ended = run("--conversation", "failed", "--prompt", "<beyond>");
    assertThat(ended.code).isEqualTo(1);
    try (ConversationStore store = ConversationStore.open(Path.of(store()))) {
      assertThat(store.ids()).isEmpty();
    }
  }
}
