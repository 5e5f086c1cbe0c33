package io.gatun.tools.run;

import io.gatun.cache.GatunException;
import io.gatun.store.Conversation;
import io.gatun.store.Tokens;
import io.gatun.tools.text.Tokenizer;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Brings a conversation's token ids to what a run is given, keeping as many as possible. One run.
 *
 * <p>Design note: token ids are durable when they are accepted, their K/V later. So a run that was
 * killed leaves ids of its own; the same command finds them, by what it noted before it added them
 * or by comparing, and does not add them again.
 */
final class Alignment {
  private final Prompt prompt;
  private final Tokenizer tokenizer;
  private final String id;
  private final LastRunFile file;
  private final PrintWriter err;
  private LongConsumer checkLength;
  private final ChatTurn chat;

  Alignment(Prompt prompt, Tokenizer tokenizer, String id, Path store, PrintWriter err) {
    this.prompt = prompt;
    this.tokenizer = tokenizer;
    this.id = id;
    this.file = new LastRunFile(store, id);
    this.err = err;
    this.chat = prompt.isChat() ? new ChatTurn(tokenizer, prompt.template(), prompt, id) : null;
  }

  /**
   * The ids of a conversation that is to be made.
   *
   * @throws GatunException if there are none
   */
  int[] beginning() {
    int[] ids = chat == null ? prompt.encode(tokenizer, true) : chat.first().ids();
    if (ids.length == 0) {
      throw nothingToContinue();
    }
    return ids;
  }

  private GatunException nothingToContinue() {
    return new GatunException(
        "there is nothing to continue: conversation '%s' is empty; give a --context or a --prompt"
            .formatted(id));
  }

  /**
   * Makes the conversation's ids end with what was given, or go on behind it.
   *
   * @param lengths is asked about the number of ids before one is accepted, and refuses too many
   */
  void align(Conversation conversation, LongConsumer lengths) {
    checkLength = lengths;
    if (chat != null) {
      ChatTurn.Turn turn = chat.next(file.read(), conversation.tokens());
      if (turn.notice() != null) {
        err.println("gatun: " + turn.notice());
      }
      file.write(turn.run());
      keepFront(conversation, turn.ids(), turn.resumes(), prompt.isWhole());
    } else if (prompt.isWhole()) {
      keepFront(conversation, prompt.encode(tokenizer, true), true, true);
    } else if (!prompt.prompt().isEmpty()) {
      add(conversation);
    }
    if (conversation.tokens().count() == 0) {
      throw nothingToContinue();
    }
  }

  /** Notes that the run came to its end: the same command now begins another one. */
  void finished() {
    LastRun last = file.read();
    if (last != null && !last.done()) {
      file.write(last.finished());
    }
  }

  /**
   * Makes the ids begin with these; what differs behind the common front is taken away.
   *
   * @param goesOn whether what is stored behind them stays if all of them are stored
   * @param tell whether the user has to know what is taken away
   */
  private void keepFront(Conversation conversation, int[] ids, boolean goesOn, boolean tell) {
    int stored = conversation.tokens().count();
    int common = conversation.tokens().commonPrefix(ids, ids.length);
    if (common == ids.length && goesOn) {
      return;
    }
    checkLength.accept(ids.length);
    if (common < stored) {
      if (tell) {
        err.printf(
            "gatun: what is given differs from conversation '%s' after the first %,d of its %,d"
                + " tokens: these are kept, the rest is read anew%n",
            id, common, stored);
      }
      conversation.truncate(common);
    }
    conversation.accept(ids, common, ids.length - common);
  }

  /** Adds a prompt behind what the conversation holds, unless a killed run has added it. */
  private void add(Conversation conversation) {
    Tokens tokens = conversation.tokens();
    LastRun last = file.read();
    boolean isChat = last != null && last.isChat();
    // A new conversation that took over a stored beginning holds tokens, but none of its own yet.
    boolean begins = tokens.count() == 0 || conversation.report().reusedTokens() > 0;
    String digest = LastRun.digest(prompt.text());
    if (!begins && last != null && !isChat && !last.done() && last.digest().equals(digest)) {
      int[] ids = prompt.encode(tokenizer, last.begins());
      int there = overlap(tokens, last.from(), ids);
      if (there >= 0) {
        checkLength.accept((long) tokens.count() + ids.length - there);
        conversation.accept(ids, there, ids.length - there);
        return;
      }
    }
    int[] first = prompt.encode(tokenizer, true);
    // Ids of a first prompt that was not read to its end: the begin token stands before them.
    boolean isFront =
        conversation.cache().length() < tokens.count()
            && tokens.count() <= first.length
            && tokens.commonPrefix(first, tokens.count()) == tokens.count();
    begins |= isFront;
    int[] ids = begins ? first : prompt.encode(tokenizer, false);
    int there = begins ? tokens.commonPrefix(ids, ids.length) : unread(conversation, ids);
    checkLength.accept(begins ? ids.length : (long) tokens.count() + ids.length - there);
    if (begins && there < tokens.count()) {
      conversation.truncate(there);
    }
    if (!begins && there == 0 && isChat) {
      err.printf(
          "gatun: conversation '%s' is a chat; without --chat the prompt is plain text that its"
              + " last answer goes on with%n",
          id);
    }
    if (!isChat) {
      int from = begins ? 0 : tokens.count() - there;
      file.write(new LastRun(List.of(), Instant.now(), from, ids.length, begins, digest, false));
    }
    conversation.accept(ids, there, ids.length - there);
  }

  /**
   * How many of these ids stand at a place already, at the end or with more behind them; -1 if
   * something else stands there.
   */
  private static int overlap(Tokens tokens, int from, int[] ids) {
    int there = Math.min(ids.length, tokens.count() - from);
    for (int i = 0; i < there; i++) {
      if (tokens.get(from + i) != ids[i]) {
        return -1;
      }
    }
    return there;
  }

  /**
   * How many of these ids end the conversation and are all that has no K/V yet: a run that was
   * killed while it read them has accepted them.
   */
  private static int unread(Conversation conversation, int[] ids) {
    Tokens tokens = conversation.tokens();
    int count = tokens.count();
    int read = Math.toIntExact(conversation.cache().length());
    if (read == count) {
      return 0;
    }
    for (int there = Math.min(ids.length, count); there >= count - read; there--) {
      if (overlap(tokens, count - there, ids) == there) {
        return there;
      }
    }
    return 0;
  }
}
