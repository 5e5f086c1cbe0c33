package io.gatun.store.fault;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvView;
import io.gatun.store.BackupProgress;
import io.gatun.store.BackupReport;
import io.gatun.store.ConversationReader;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import io.gatun.store.fault.Ledger.Broken;
import io.gatun.store.fault.Ledger.State;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Backups of a store that is in use: whole, or refused; and the next one makes it whole. */
final class BackupScenarios {
  private BackupScenarios() {}

  static List<Scenario> all() {
    return List.of(
        Scenario.of(
            "backup",
            Scenarios::three,
            session -> session.append("a", 10),
            session -> backup(session, true)),
        Scenario.afterAKill(
            "backup by copies after a kill",
            Scenarios::three,
            Session::store,
            session -> backup(session, false)),
        Scenario.of(
            "backup over an older one",
            Scenarios::three,
            session -> {
              session.store().backup(folder(session), true, BackupProgress.NONE);
              session.keep();
              session.append("a", 70);
              session.delete("c");
            },
            session -> backup(session, true)));
  }

  private static Path folder(Session session) {
    return session.folder().resolveSibling("backup");
  }

  private static void backup(Session session, boolean links) {
    session.afterwards(() -> {
      if (Files.exists(folder(session).resolve("conversations"))) {
        part(session);
      }
      again(session, links);
    });
    BackupReport report = session.store().backup(folder(session), links, BackupProgress.NONE);
    if (report.whole()) {
      session.afterwards(() -> {
        whole(session, report);
        again(session, links);
      });
    }
  }

  /** The fault is gone: nothing keeps it from being whole. */
  private static void again(Session session, boolean links) {
    BackupReport report = session.store().backup(folder(session), links, BackupProgress.NONE);
    if (!report.whole()) {
      throw new Broken(true, "the next backup is not whole: " + report.damaged());
    }
    whole(session, report);
  }

  /** It has what it should; where what is gone from the store stays in it, it says why. */
  private static void whole(Session session, BackupReport report) {
    ConversationStore copy = ConversationStore.open(folder(session));
    for (String id : session.ledger().ids()) {
      State found = found(copy, id);
      boolean stays = !found.absent() && !session.ledger().can(id) && !report.notes().isEmpty();
      if (!stays) {
        session.ledger().requireCommitted("the backup " + report.notes(), id, found);
      }
    }
  }

  /** What is in one that was cut off is now's or the older one's; or is refused. */
  private static void part(Session session) {
    try {
      ConversationStore copy = ConversationStore.open(folder(session));
      for (String id : copy.ids()) {
        State found = found(copy, id);
        try {
          session.ledger().requireCommitted("the backup", id, found);
        } catch (Broken e) {
          if (session.kept() == null) {
            throw e;
          }
          session.kept().requireCommitted("the backup", id, found);
        }
      }
    } catch (GatunException e) {
      // It says that it is not whole.
    }
  }

  private static State found(ConversationStore copy, String id) {
    if (!copy.exists(id)) {
      return State.ABSENT;
    }
    try (ConversationReader reader = copy.read(id);
        KvView view = reader.view()) {
      Rows.check(view, reader.tokens());
      return State.of(reader.tokens(), view.length());
    }
  }
}
