package io.gatun.store.fault;

import io.gatun.cache.GatunException;
import io.gatun.store.fault.Ledger.State;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Everything that a store is asked for, each on a small store of its own. */
final class Scenarios {
  private Scenarios() {}

  static List<Scenario> all() {
    return List.of(
        Scenario.of(
            "first",
            session -> {},
            session -> {},
            session -> {
              session.append("a", 70);
              session.close("a");
            }),
        Scenario.of(
            "create",
            Scenarios::three,
            Session::store,
            session -> {
              session.talk("new");
              session.append("new", 20);
            }),
        Scenario.of(
            "create with a prefix",
            Scenarios::three,
            Session::store,
            session -> {
              session.look("new", session.ledger().only("a").toArray());
              session.append("new", 20);
            }),
        Scenario.of(
            "append",
            Scenarios::three,
            session -> session.talk("a"),
            session -> {
              session.append("a", 30);
              session.append("a", 64);
            }),
        Scenario.of(
            "a journal that grows",
            Scenarios::three,
            session -> session.talk("a"),
            session -> {
              session.accept("a", 17_000);
              session.commit("a");
            }),
        Scenario.of(
            "commit",
            Scenarios::three,
            session -> {
              session.accept("a", 100);
              session.prefill("a");
            },
            session -> session.commit("a")),
        Scenario.of(
            "close",
            Scenarios::three,
            session -> {
              session.accept("a", 100);
              session.prefill("a");
            },
            session -> session.close("a")),
        Scenario.of(
            "fork",
            Scenarios::three,
            session -> session.append("a", 5),
            session -> {
              session.fork("a", "new", 154);
              session.truncate("a", 150);
              session.append("a", 10);
              session.look("new");
            }),
        Scenario.of(
            "fork of one that is closed",
            Scenarios::three,
            Session::store,
            session -> session.fork("a", "new", 140)),
        Scenario.of(
            "truncate into the tail",
            Scenarios::three,
            session -> session.append("a", 20),
            session -> {
              session.truncate("a", 155);
              session.append("a", 10);
            }),
        Scenario.of(
            "truncate blocks",
            Scenarios::three,
            session -> session.append("a", 200),
            session -> {
              session.truncate("a", 100);
              session.append("a", 10);
            }),
        Scenario.of(
            "truncate beside a reader",
            Scenarios::three,
            session -> {
              session.append("a", 20);
              session.follow("a");
            },
            session -> {
              session.truncate("a", 155);
              session.append("a", 40);
              session.follow("a");
            }),
        Scenario.of(
            "truncate by name",
            Scenarios::three,
            Session::store,
            session -> session.truncateClosed("a", 100)),
        Scenario.of(
            "delete",
            Scenarios::three,
            session -> session.talk("a"),
            session -> {
              session.delete("b");
              session.delete("c");
            }),
        Scenario.of("gc", Scenarios::garbage, Session::store, session -> session.gc()),
        Scenario.afterAKill(
            "gc after a kill", Scenarios::garbage, Session::store, session -> session.gc()),
        Scenario.of(
            "evict one",
            Scenarios::three,
            Session::measure,
            session -> session.evict(session.measured() - 1, List.of())),
        Scenario.of(
            "evict beside others",
            Scenarios::three,
            session -> {
              session.talk("b");
              session.pin("c", true);
              session.measure();
            },
            session -> session.evict(session.measured() - 1, List.of("b", "c"))),
        Scenario.of(
            "evict all", Scenarios::three, Session::store, session -> session.evict(0, List.of())),
        Scenario.of(
            "budget",
            Scenarios::three,
            session -> {
              session.budget();
              session.talk("a");
            },
            session -> {
              session.ledger().may("b", State.ABSENT);
              session.ledger().may("c", State.ABSENT);
              session.append("a", 70);
            }),
        Scenario.of(
            "reopen",
            Scenarios::three,
            session -> {},
            session -> {
              session.look("a");
              session.append("a", 70);
              session.close("a");
            }),
        Scenario.afterAKill(
            "reopen after a kill",
            Scenarios::three,
            session -> {},
            session -> {
              session.look("a");
              session.append("a", 70);
              session.close("a");
            }),
        Scenario.afterAKill(
            "reopen a fork after a kill",
            Scenarios::three,
            session -> {},
            session -> {
              session.look("b");
              session.append("b", 10);
            }),
        Scenario.afterAKill(
            "reopen with a torn record",
            Scenarios::torn,
            session -> {},
            session -> {
              session.look("a");
              session.append("a", 70);
            }),
        Scenario.of("list", Scenarios::three, Session::store, Scenarios::ask),
        Scenario.afterAKill("list after a kill", Scenarios::three, Session::store, Scenarios::ask),
        Scenario.of(
            "read",
            Scenarios::three,
            session -> {},
            session -> {
              session.read("a");
              session.read("b");
            }),
        Scenario.afterAKill(
            "read after a kill",
            Scenarios::three,
            session -> {},
            session -> {
              session.read("a");
              session.read("b");
            }),
        Scenario.of(
            "read beside a writer",
            Scenarios::three,
            session -> {
              session.follow("a");
              session.append("a", 100);
            },
            session -> {
              session.follow("a");
              session.append("a", 3);
              session.follow("a");
            }),
        Scenario.of(
            "verify",
            Scenarios::three,
            Session::store,
            session -> {
              session.verify("a");
              session.verify("b");
            }),
        Scenario.of(
            "rename and pin",
            Scenarios::three,
            Session::store,
            session -> {
              session.rename("b", "new");
              session.pin("a", true);
              session.pin("a", false);
            }),
        Scenario.of(
            "import",
            Scenarios::three,
            Session::store,
            session -> session.restore("new", new Random(7).ints(150, 0, 50_000).toArray())));
  }

  /** A program that takes a commit for done that failed: the harness has to find that out. */
  static Scenario careless() {
    return Scenario.of(
        "careless",
        Scenarios::three,
        session -> {
          session.accept("a", 100);
          session.prefill("a");
        },
        session -> {
          try {
            session.commit("a");
          } catch (GatunException e) {
            session.claim("a");
          }
        });
  }

  /** A with 150 tokens and 7 more without K/V, b that begins with 140 of them, c with 40. */
  static void three(Session session) {
    committed(session);
    session.accept("a", 7);
  }

  private static void committed(Session session) {
    session.append("a", 100);
    session.append("a", 50);
    session.fork("a", "b", 140);
    session.append("b", 60);
    session.append("c", 40);
  }

  /** What crashes leave: unfinished and half deleted folders, blocks without a journal. */
  private static void garbage(Session session) throws IOException {
    three(session);
    Path conversations = session.folder().resolve("conversations");
    for (String name : List.of(".new-1", ".deleted-1", ".work-1")) {
      Path folder = Files.createDirectory(conversations.resolve(name));
      Files.write(folder.resolve("journal"), new byte[100]);
    }
    Path block =
        Session.files(session.folder().resolve("blocks")).stream().findFirst().orElseThrow();
    Files.copy(block, block.resolveSibling("00000077.kv"));
    Path nobody = session.folder().resolve("blocks").resolve("0badcafe");
    Files.createDirectory(nobody);
    Files.copy(block, nobody.resolve("00000000.kv"));
  }

  /** The last record of a did not arrive whole. */
  private static void torn(Session session) throws IOException {
    committed(session);
    Path journal = session.folder().resolve("conversations").resolve("a").resolve("journal");
    try (RandomAccessFile file = new RandomAccessFile(journal.toFile(), "rw")) {
      // It ends with a checksum that does not end with zero.
      long end = file.length();
      do {
        file.seek(--end);
      } while (file.read() == 0);
      byte[] half = new byte[30];
      Arrays.fill(half, (byte) 9);
      file.write(half);
    }
  }

  private static void ask(Session session) {
    session.list();
    session.ids();
    session.exists("a");
    session.info("a");
    session.stats();
  }
}
