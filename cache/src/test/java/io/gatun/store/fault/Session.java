package io.gatun.store.fault;

import io.gatun.cache.KvView;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationInfo;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Eviction;
import io.gatun.store.Garbage;
import io.gatun.store.Rows;
import io.gatun.store.StoreOptions;
import io.gatun.store.Verification;
import io.gatun.store.WorkFile;
import io.gatun.store.fault.Ledger.Broken;
import io.gatun.store.fault.Ledger.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * A program that uses a store. It tells a {@link Ledger} what it is about to do and what was
 * acknowledged, and looks at everything that it is handed. Token ids are forced when they are
 * accepted.
 */
final class Session {
  private final Path folder;
  private final Ledger ledger;
  private final Random random;
  private final Map<String, Conversation> open = new LinkedHashMap<>();
  private final Map<String, ConversationReader> readers = new LinkedHashMap<>();
  private StoreOptions options = StoreOptions.defaults().withTokenDelay(Duration.ZERO);
  private ConversationStore store;
  private long measured;
  private Look look = () -> {};

  /** A handle that failed closes without a word, and promises nothing by that. */
  private boolean shaken;

  /** A program that has opened nothing yet. */
  Session(Path folder, Ledger ledger, long seed) {
    this.folder = folder;
    this.ledger = ledger;
    this.random = new Random(seed);
  }

  Path folder() {
    return folder;
  }

  Ledger ledger() {
    return ledger;
  }

  /** Lets the store take no more than it takes now. */
  void budget() {
    measure();
    options = options.withBudgetBytes(measured);
    store = null;
  }

  /** Notes that a call on this store failed. */
  void shaken() {
    shaken = true;
  }

  ConversationStore store() {
    if (store == null) {
      store = ConversationStore.open(folder, options);
    }
    return store;
  }

  /** The conversation as it is open here; opens it, and makes it if there is none. */
  Conversation talk(String id) {
    return talk(id, new int[0]);
  }

  /** As {@link #talk(String)}; what is made may begin with tokens that are stored already. */
  Conversation talk(String id, int[] prompt) {
    Conversation talk = open.get(id);
    if (talk == null) {
      if (!ledger.must(id)) {
        ledger.may(id, State.EMPTY);
        for (int reused = 64; reused <= prompt.length; reused++) {
          ledger.may(id, State.of(Arrays.copyOf(prompt, reused), reused));
        }
      }
      talk = store().openOrCreate(id, Workload.MODEL, Rows.layout(), prompt);
      open.put(id, talk);
      State found = State.of(talk);
      ledger.require("the opening", id, found);
      ledger.is(id, found);
    }
    return talk;
  }

  /** Opens it and compares every row. */
  void look(String id) {
    look(id, new int[0]);
  }

  /** As {@link #look(String)}; what is made may begin with tokens that are stored already. */
  void look(String id, int[] prompt) {
    Conversation talk = talk(id, prompt);
    Rows.check(talk.cache().live(), talk.tokens());
  }

  void accept(String id, int count) {
    Conversation talk = talk(id);
    int[] more = random.ints(count, 0, 50_000).toArray();
    int[] before = talk.tokens().toArray();
    int[] after = Arrays.copyOf(before, before.length + count);
    System.arraycopy(more, 0, after, before.length, count);
    ledger.may(id, State.of(after, (int) talk.committedTokens()));
    talk.accept(more, 0, count);
    ledger.is(id, State.of(talk));
  }

  void prefill(String id) {
    Rows.prefill(talk(id));
  }

  void commit(String id) {
    Conversation talk = talk(id);
    ledger.may(id, State.of(talk.tokens(), talk.cache().length()));
    talk.commit();
    ledger.is(id, State.of(talk));
  }

  /** Takes everything for committed, whatever the store said. */
  void claim(String id) {
    Conversation talk = talk(id);
    ledger.is(id, State.of(talk.tokens(), talk.cache().length()));
    shaken();
  }

  /** Accepts tokens, and commits them with their K/V. */
  void append(String id, int count) {
    accept(id, count);
    prefill(id);
    commit(id);
  }

  void truncate(String id, int to) {
    Conversation talk = talk(id);
    ledger.may(id, State.of(talk).cut(to));
    talk.truncate(to);
    ledger.is(id, State.of(talk));
  }

  /** Cuts one that is not open here. */
  void truncateClosed(String id, int to) {
    State after = ledger.only(id).cut(to);
    ledger.may(id, after);
    store().truncate(id, to);
    ledger.is(id, after);
  }

  void close(String id) {
    Conversation talk = open.remove(id);
    State after = State.of(talk.tokens(), talk.cache().length());
    ledger.may(id, after);
    talk.close();
    if (!shaken) {
      ledger.is(id, after);
    }
  }

  /** Makes one with the first tokens of another, which may be open here or not. */
  void fork(String id, String newId, int at) {
    Conversation talk = open.get(id);
    State made = (talk == null ? ledger.only(id) : State.of(talk)).cut(at);
    ledger.may(newId, made);
    store().fork(id, newId, at);
    ledger.is(newId, made);
  }

  void rename(String id, String newId) {
    Ledger before = ledger.copy();
    ledger.mayAs(newId, id);
    ledger.may(id, State.ABSENT);
    store().rename(id, newId);
    ledger.isAs(newId, before, id);
    ledger.is(id, State.ABSENT);
  }

  void delete(String id) {
    ledger.may(id, State.ABSENT);
    store().delete(id);
    ledger.is(id, State.ABSENT);
  }

  /** Evicts; none of {@code kept} may go. */
  void evict(long target, List<String> kept) {
    Ledger before = ledger.copy();
    List<String> closed =
        ledger.ids().stream()
            .filter(id -> !kept.contains(id) && !open.containsKey(id) && ledger.can(id))
            .toList();
    closed.forEach(id -> ledger.may(id, State.ABSENT));
    Eviction eviction = store().evict(target, false);
    closed.forEach(id -> ledger.isAs(id, before, id));
    eviction.victims().forEach(victim -> ledger.is(victim.id(), State.ABSENT));
  }

  /** Notes how much disk space the store takes now. */
  void measure() {
    measured = store().stats().fileBytes();
  }

  /** What {@link #measure} found. */
  long measured() {
    return measured;
  }

  Garbage gc() {
    return store().gc(false);
  }

  void pin(String id, boolean pinned) {
    store().pin(id, pinned);
  }

  /** Asks for everything that can be asked without opening, and looks at what is said. */
  void list() {
    List<ConversationInfo> infos = store().list();
    for (String id : ledger.ids()) {
      infos.stream()
          .filter(info -> info.id().equals(id))
          .findFirst()
          .ifPresentOrElse(info -> check("the list", info), () -> none("the list", id));
    }
  }

  void ids() {
    List<String> ids = store().ids();
    ledger.ids().stream().filter(id -> !ids.contains(id)).forEach(id -> none("ids()", id));
  }

  void info(String id) {
    check("info()", store().info(id));
  }

  boolean exists(String id) {
    boolean exists = store().exists(id);
    if (!exists) {
      none("exists()", id);
    }
    return exists;
  }

  void stats() {
    long needed = ledger.ids().stream().filter(ledger::must).count();
    long found = store().stats().conversations();
    if (found < needed) {
      throw new Broken(true, "stats() counts %d of %d".formatted(found, needed));
    }
  }

  private void none(String who, String id) {
    ledger.require(who, id, State.ABSENT);
  }

  private void check(String who, ConversationInfo info) {
    if (info.damage() == null) {
      ledger.requireCounts(who, info.id(), (int) info.committedTokens(), (int) info.tokens());
    }
  }

  void verify(String id) {
    Verification verification = store().verify(id, bytes -> {});
    if (!verification.sound()) {
      throw new Broken(false, "verify() calls '%s' damaged: %s".formatted(id, verification));
    }
  }

  /** Reads one to its end, through a reader of its own; a writer may have it. */
  void read(String id) {
    try (ConversationReader reader = store().read(id)) {
      look(reader);
    }
  }

  /** Opens a reader that stays, or lets the one that there is look again. */
  void follow(String id) {
    ConversationReader reader = readers.get(id);
    if (reader == null) {
      reader = store().read(id);
      readers.put(id, reader);
    } else {
      reader.refresh();
    }
    look(reader);
  }

  private void look(ConversationReader reader) {
    State found = State.of(reader.tokens(), reader.committedTokens());
    ledger.requireCommitted("a reader", reader.id(), found);
    try (KvView view = reader.view()) {
      if (view.length() != found.committed()) {
        throw new Broken(true, "a view has %d of %s".formatted(view.length(), found));
      }
      Rows.check(view, reader.tokens());
    }
  }

  /** What an import does to a store. */
  void restore(String id, int[] tokens) {
    try (WorkFile file = store().workFile()) {
      writeOwn(file.path());
      ledger.may(id, State.EMPTY);
      ledger.may(id, State.of(tokens, 0));
      ledger.may(id, State.of(tokens, tokens.length));
      Conversation talk = store().restore(id, Workload.MODEL.with(Rows.layout()), Rows.layout());
      open.put(id, talk);
      talk.accept(tokens, 0, tokens.length);
      Rows.prefill(talk);
      talk.commit();
      ledger.is(id, State.of(talk));
    }
  }

  /** A look at something beside the store, once the fault is gone. */
  interface Look {
    void run() throws Exception;
  }

  /** Asks for a look in place of the one that was asked for before. */
  void afterwards(Look look) {
    this.look = look;
  }

  /** What {@link #afterwards} asked for. */
  Look afterwards() {
    return look;
  }

  /** A file of the caller's own could not be written: none of the store's business. */
  static final class OwnFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    OwnFailure(IOException cause) {
      super(cause);
    }
  }

  private static void writeOwn(Path file) {
    try {
      Files.write(file, new byte[5_000]);
    } catch (IOException e) {
      throw new OwnFailure(e);
    }
  }

  /** The conversations that are open here. */
  List<String> open() {
    return List.copyOf(open.keySet());
  }

  /** Closes everything, one after the other; what goes wrong is collected. */
  void end(List<Throwable> problems) {
    for (ConversationReader reader : readers.values()) {
      attempt(reader::close, problems);
    }
    readers.clear();
    for (String id : open()) {
      attempt(() -> close(id), problems);
    }
    if (store != null) {
      attempt(store::close, problems);
    }
  }

  private static void attempt(Runnable closing, List<Throwable> problems) {
    try {
      closing.run();
    } catch (RuntimeException | Error e) {
      problems.add(e);
    }
  }

  /** Regular files of the store. */
  static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      return paths.filter(Files::isRegularFile).sorted().toList();
    }
  }
}
