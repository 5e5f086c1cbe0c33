package io.gatun.tools.run;

import io.gatun.cache.GatunException;
import io.gatun.store.Tokens;
import io.gatun.tools.text.ChatTemplate;
import io.gatun.tools.text.ChatTemplate.Message;
import io.gatun.tools.text.TextStream;
import io.gatun.tools.text.Tokenizer;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;

/**
 * The next turn of a chat: all messages up to the one that is to be answered. The whole
 * conversation is rendered each time, so that the template closes an answer and places a system
 * message as it wants; the tokens that the store holds already are found by comparing.
 */
final class ChatTurn {
  private final Tokenizer tokenizer;
  private final ChatTemplate template;
  private final Prompt prompt;
  private final String conversation;

  ChatTurn(Tokenizer tokenizer, ChatTemplate template, Prompt prompt, String conversation) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.prompt = prompt;
    this.conversation = conversation;
  }

  /**
   * A turn as it is asked for.
   *
   * @param run what is to be kept of it
   * @param ids all tokens up to where the answer begins
   * @param resumes whether what is stored behind these is the beginning of their answer
   * @param notice something to tell the user, or null
   */
  record Turn(LastRun run, int[] ids, boolean resumes, String notice) {}

  /** The first turn of a chat. */
  Turn first() {
    return turn(opening(), Instant.now(), true, null);
  }

  /**
   * The turn that follows what is stored.
   *
   * @param last what the last run left; null if there is nothing
   * @param stored the conversation's tokens
   */
  Turn next(LastRun last, Tokens stored) {
    if (last == null || !last.isChat()) {
      return firstOf(stored);
    }
    if (prompt.isWhole()) {
      boolean same = last.messages().equals(opening());
      return turn(opening(), same ? last.begun() : Instant.now(), same, null);
    }
    requireSystem(last.messages());
    if (!last.done() && last.messages().getLast().content().equals(prompt.prompt())) {
      return turn(last.messages(), last.begun(), true, null);
    }
    List<Message> messages = new ArrayList<>(last.messages());
    String notice = null;
    int[] ids = stored.toArray();
    boolean holds =
        ids.length >= last.count() && LastRun.digest(ids, last.count()).equals(last.digest());
    if (holds && (last.done() || ids.length > last.count())) {
      messages.add(new Message("assistant", answer(ids, last.count())));
    } else if (!last.done()) {
      messages.removeLast();
      notice = "the message before this one was never answered and is left out";
    } else {
      throw new GatunException(
          "conversation '%s' does not hold the tokens of its chat any more (it was truncated or written to otherwise), so that its last answer is not known; use another conversation"
              .formatted(conversation));
    }
    messages.add(new Message("user", prompt.prompt()));
    return turn(messages, last.begun(), false, notice);
  }

  /** The first turn, where tokens are stored that it may have left itself. */
  private Turn firstOf(Tokens stored) {
    Turn first = first();
    int common = stored.commonPrefix(first.ids(), first.ids().length);
    if (!prompt.isWhole() && common < Math.min(stored.count(), first.ids().length)) {
      throw new GatunException(
          "conversation '%s' holds %,d tokens of plain text, not of a chat, so that its messages are not known; give --chat another --conversation"
              .formatted(conversation, stored.count()));
    }
    return first;
  }

  private List<Message> opening() {
    List<Message> messages = new ArrayList<>();
    if (prompt.system() != null) {
      messages.add(new Message("system", prompt.system()));
    }
    messages.add(new Message("user", prompt.context() + prompt.prompt()));
    return messages;
  }

  private void requireSystem(List<Message> messages) {
    Message first = messages.getFirst();
    boolean same = first.role().equals("system") && first.content().equals(prompt.system());
    if (prompt.system() != null && !same) {
      throw new GatunException(
          "conversation '%s' began with %s; leave --system out, or use another conversation"
              .formatted(
                  conversation,
                  first.role().equals("system") ? "another system message" : "no system message"));
    }
  }

  private Turn turn(List<Message> messages, Instant begun, boolean resumes, String notice) {
    Clock clock = Clock.fixed(begun, ZoneId.systemDefault());
    int[] ids = tokenizer.encode(template.withClock(clock).render(messages), false);
    LastRun run =
        new LastRun(messages, begun, 0, ids.length, false, LastRun.digest(ids, ids.length), false);
    return new Turn(run, ids, resumes, notice);
  }

  /** The answer that was shown: without what is missing of a character. */
  private String answer(int[] ids, int from) {
    TextStream stream = tokenizer.stream();
    StringBuilder answer = new StringBuilder();
    for (int i = 0; i < ids.length; i++) {
      String text = stream.next(ids[i]);
      answer.append(i < from ? "" : text);
    }
    return answer.toString();
  }
}
