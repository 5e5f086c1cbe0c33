package io.gatun.store.fault;

import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.fault.Ledger.Broken;
import io.gatun.store.fault.Ledger.State;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Exports and imports, as the command does them, of conversation a. */
final class OutsideScenarios {
  /** What the ledger calls an export that was there before; no conversation has this name. */
  private static final String OLDER = "an-older-export";

  private final Outside outside;

  /** Scenarios over what another module does. */
  OutsideScenarios(Outside outside) {
    this.outside = outside;
  }

  List<Scenario> all() {
    return List.of(
        Scenario.of("export", Scenarios::three, Session::store, session -> export(session)),
        Scenario.afterAKill("export after a kill", Scenarios::three, Session::store, this::export),
        Scenario.of(
            "export over an older one",
            Scenarios::three,
            session -> {
              outside.run("export", session.store(), file(session));
              session.ledger().mayAs(OLDER, "a");
              session.append("a", 10);
            },
            this::export),
        Scenario.of(
            "import of a file",
            Scenarios::three,
            session -> outside.run("export", session.store(), file(session)),
            this::restore));
  }

  private static Path file(Session session) {
    return session.folder().resolveSibling("a.safetensors");
  }

  private void export(Session session) {
    Path file = file(session);
    session.afterwards(() -> {
      if (Files.exists(file)) {
        // The one of before, if there was one, or the new one: but whole.
        session.ledger().mayAs(OLDER, "a");
        whole(session, file, OLDER);
      }
      session.ledger().is(OLDER, State.ABSENT);
    });
    outside.run("export", session.store(), file);
    session.afterwards(() -> {
      session.ledger().is(OLDER, State.ABSENT);
      if (!Files.exists(file)) {
        throw new Broken(true, "there is no file after an export that went well");
      }
      whole(session, file, "a");
    });
  }

  /** Imports a file into a store of its own: it has to hold what a conversation may have. */
  private void whole(Session session, Path file, String id) throws Exception {
    Path other = file.resolveSibling("other");
    Scratch.delete(other);
    ConversationStore store = ConversationStore.open(other);
    outside.run("import", store, file);
    try (Conversation talk = store.openOrCreate("new", Workload.MODEL, Rows.layout())) {
      Rows.check(talk.cache().live(), talk.tokens());
      session.ledger().requireCommitted("the exported file", id, State.of(talk));
    }
    Scratch.delete(other);
  }

  private void restore(Session session) {
    State a = session.ledger().only("a");
    int[] tokens = a.toArray();
    session.ledger().may("new", State.EMPTY);
    // What it has until it fails is committed when it is closed, and may not be removable then.
    for (int rows = 0; rows <= a.committed(); rows++) {
      session.ledger().may("new", State.of(tokens, rows));
    }
    outside.run("import", session.store(), file(session));
    session.ledger().is("new", a);
  }
}
