package io.gatun.store.fault;

import io.gatun.cache.GatunException;
import io.gatun.store.ConversationStore;
import io.gatun.store.Held;
import io.gatun.store.fault.Ledger.Broken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Runs one scenario with one failing call: a fresh copy of the store; the call fails while the
 * program acts; the program goes on, with the fault gone; it ends or is killed; a new program finds
 * what was acknowledged.
 */
final class FaultRun {
  /** What came of a case, best first. */
  enum Outcome {
    /** The call was not made this time: other threads were faster. */
    UNHIT,
    /** Nobody noticed, and rightly so. */
    OK,
    /** A documented exception; everything that was acknowledged is there. */
    THROWN,
    /** An exception that nobody was told of. */
    RAW,
    /** Maps or descriptors stayed behind. */
    LEAK,
    /** What is there cannot be opened, or not be made sound. */
    STUCK,
    /** Something else was shown than is right. */
    WRONG,
    /** Something is gone that was acknowledged. */
    LOST
  }

  /**
   * What came of a case.
   *
   * @param phase when the worst of it showed
   * @param problem what showed it, or null
   * @param thrown what the program was told when the call failed, or null
   * @param where the call that failed, and the file
   * @param counts calls that were made, by kind
   */
  record Result(
      Outcome outcome,
      String phase,
      Throwable problem,
      Throwable thrown,
      String where,
      Map<String, Long> counts) {}

  /** A store as it is before, and what it holds. */
  record Base(Map<String, byte[]> image, Set<String> folders, Ledger ledger) {}

  private static final long SEED = 11;

  private final FaultShim shim;
  private final Path folder;
  private final Scenario scenario;
  private Outcome outcome = Outcome.OK;
  private String phase = "";
  private Throwable problem;

  /** A run in a folder of its own. */
  FaultRun(FaultShim shim, Path folder, Scenario scenario) {
    this.shim = shim;
    this.folder = folder;
    this.scenario = scenario;
  }

  /** Makes the store that a scenario begins with. */
  static Base base(Scenario scenario, Path folder) throws Exception {
    Path place = folder.resolve("store");
    Session session = new Session(place, new Ledger(), SEED);
    scenario.base().run(session);
    Base killed = base(place, session.ledger().copy());
    List<Throwable> problems = new ArrayList<>();
    session.end(problems);
    if (!problems.isEmpty()) {
      throw new IllegalStateException(problems.getFirst());
    }
    return scenario.killed() ? killed : base(place, session.ledger());
  }

  private static Base base(Path place, Ledger ledger) throws IOException {
    Set<String> folders = new LinkedHashSet<>();
    if (!Files.exists(place)) {
      return new Base(Map.of(), folders, ledger);
    }
    try (Stream<Path> paths = Files.walk(place)) {
      paths
          .filter(Files::isDirectory)
          .forEach(path -> folders.add(place.relativize(path).toString()));
    }
    return new Base(Scratch.image(place), folders, ledger);
  }

  /** Counts the calls of each kind that the scenario makes, and checks that it works without any. */
  Result count(Base base) throws Exception {
    return run(base, null, false);
  }

  /**
   * Runs a case.
   *
   * @param fault what fails; null for nothing
   * @param kill whether the program is killed at its end: then a copy of the store as it is while it
   *     is open is what the next one finds
   */
  Result run(Base base, CallFault fault, boolean kill) throws Exception {
    Path place = folder.resolve("store");
    restore(base, place);
    shim.watch(folder);
    Session session = new Session(place, base.ledger().copy(), SEED + 1);
    scenario.ready().run(session);
    Throwable thrown = act(session, fault);
    String where = shim.last();
    Map<String, Long> counts = shim.counts();
    boolean hit = fault == null || shim.injected() > 0;
    if (thrown != null) {
      session.shaken();
      judge("the call", thrown);
      if (outcome == Outcome.OK) {
        outcome = Outcome.THROWN;
      }
    }
    attempt("looking at what was made", () -> session.afterwards().run());
    goOn(session);
    Path found = place;
    if (kill) {
      found = folder.resolve("copy");
      restore(base(place, null), found);
    }
    Ledger expected = session.ledger().copy();
    List<Throwable> closing = new ArrayList<>();
    session.end(closing);
    closing.forEach(e -> judge("closing", e));
    if (!kill) {
      expected = session.ledger();
    }
    again(found, expected, kill);
    if (fault == null || !fault.call().equals("close")) {
      // The JDK forgets what it has open beside a descriptor that it could not close well.
      held();
    }
    if (fault != null && !hit && outcome == Outcome.OK) {
      outcome = Outcome.UNHIT;
    }
    return new Result(outcome, phase, problem, thrown, where, counts);
  }

  private static void restore(Base base, Path place) throws IOException {
    for (String name : base.folders()) {
      Files.createDirectories(place.resolve(name));
    }
    for (Map.Entry<String, byte[]> file : base.image().entrySet()) {
      Files.write(place.resolve(file.getKey()), file.getValue());
    }
    if (Files.exists(place)) {
      Scratch.restrict(place);
    }
  }

  private Throwable act(Session session, CallFault fault) {
    if (fault == null) {
      shim.count();
    } else {
      shim.arm(fault);
    }
    try {
      scenario.act().run(session);
      return null;
    } catch (Throwable e) {
      return e;
    } finally {
      shim.disarm();
    }
  }

  /** The program goes on with what it has open, and with the store; the fault is gone. */
  private void goOn(Session session) {
    attempt("going on", session::list);
    for (String id : session.open()) {
      attempt(
          "going on",
          () -> {
            try {
              session.append(id, 8);
              session.look(id);
            } catch (GatunException e) {
              // A handle whose write failed refuses everything.
              session.shaken();
            }
          });
    }
  }

  private interface Body {
    void run() throws Exception;
  }

  private void attempt(String when, Body body) {
    try {
      body.run();
    } catch (GatunException e) {
      // The fault is gone: there is no reason left to refuse anything.
      note(Outcome.STUCK, when, e);
    } catch (Exception | Error e) {
      judge(when, e);
    }
  }

  /** A new program opens everything. */
  private void again(Path place, Ledger ledger, boolean killed) {
    Session session = new Session(place, ledger, SEED + 2);
    attempt("asking again", session::list);
    for (String id : List.copyOf(ledger.ids())) {
      attempt(
          "opening again",
          () -> {
            if (session.exists(id)) {
              attempt("reading again", () -> session.read(id));
              session.look(id);
            } else {
              ledger.is(id, Ledger.State.ABSENT);
            }
          });
    }
    List<Throwable> closing = new ArrayList<>();
    session.end(closing);
    closing.forEach(e -> judge("closing again", e));
    attempt(
        "collecting garbage",
        () -> {
          ConversationStore store = ConversationStore.open(place);
          List<String> findings = store.gc(false).findings();
          if (!findings.isEmpty()) {
            throw new GatunException(findings.toString());
          }
          List<String> left = store.gc(true).removed();
          if (!left.isEmpty()) {
            throw new GatunException("gc leaves " + left);
          }
        });
    for (String id : ledger.ids()) {
      // What was opened after a kill was checked row by row; that this settled it is to be seen.
      if (ledger.must(id) && killed) {
        attempt("opening once more", () -> session.look(id));
      } else if (ledger.must(id)) {
        attempt("verifying", () -> session.verify(id));
      }
    }
    session.end(closing);
  }

  private void held() throws IOException {
    List<String> held = Held.of(folder);
    if (!held.isEmpty()) {
      note(Outcome.LEAK, "at the end", new IllegalStateException(held.toString()));
    }
  }

  private void judge(String when, Throwable e) {
    if (e instanceof Broken broken) {
      note(broken.lost ? Outcome.LOST : Outcome.WRONG, when, e);
    } else if (e instanceof AssertionError) {
      note(Outcome.WRONG, when, e);
    } else if (!(e instanceof GatunException || e instanceof Session.OwnFailure)) {
      note(Outcome.RAW, when, e);
    }
  }

  private void note(Outcome found, String when, Throwable e) {
    if (found.compareTo(outcome) > 0) {
      outcome = found;
      phase = when;
      problem = e;
    }
  }
}
