package io.gatun.store;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Plans, and carries out, which conversations go when disk space runs short. The plan is whole before
 * anything is removed: if it does not suffice, nothing goes.
 */
final class Evictor {
  private final StoreFolder store;

  Evictor(StoreFolder store) {
    this.store = store;
  }

  /**
   * What would go.
   *
   * @param victims in the order of their last use, with the blocks that each frees
   * @param why what keeps the rest, a sentence; empty if the plan suffices
   */
  private record Plan(List<Victim> victims, long before, long after, String why) {}

  /** One conversation of a plan; its writer's lock is held. */
  private record Victim(
      ConversationInfo info,
      ConversationFiles files,
      JournalSummary journal,
      LockFile.Hold writer,
      Set<Long> blocks,
      long bytes) {}

  /**
   * Evicts whole conversations, those first that were not used for longest, until the store takes
   * no more than {@code targetBytes}. Pinned and open ones stay. Called with the store's lock held.
   *
   * @throws EvictionShortfallException if that cannot be reached; nothing was removed
   */
  Eviction run(long targetBytes, boolean dryRun) throws IOException {
    EvictionEvent event = new EvictionEvent();
    event.begin();
    Catalog catalog = Catalog.take(store);
    Plan plan = plan(catalog, targetBytes);
    try {
      if (plan.after > targetBytes) {
        throw new EvictionShortfallException(
            "the store takes %,d bytes and cannot be brought to %,d: eviction could reach %,d. %s. Nothing was evicted; ask for %,d bytes or more, or unpin, close or delete conversations"
                .formatted(plan.before, targetBytes, plan.after, plan.why, plan.after),
            plan.after);
      }
      List<Eviction.Victim> gone = new ArrayList<>();
      for (Victim victim : plan.victims) {
        long freed = victim.bytes;
        if (!dryRun) {
          freed = Deletion.remove(store, victim.files, victim.blocks, catalog, false);
        }
        gone.add(new Eviction.Victim(victim.info.id(), freed, victim.info.lastUsed()));
      }
      if (!dryRun && !gone.isEmpty()) {
        event.conversations = gone.size();
        event.bytes = plan.before - plan.after;
        event.commit();
      }
      return new Eviction(gone, plan.before, plan.after, targetBytes, dryRun);
    } finally {
      letGo(plan.victims.stream().map(Victim::writer).toList());
    }
  }

  /**
   * Sees to it that the store can grow by {@code bytes} within its budget. Store's lock held.
   *
   * @throws GatunException if that cannot be reached; nothing was removed
   */
  void makeRoom(long bytes, long budget) throws IOException {
    if (bytes > budget) {
      throw new GatunException(
          "a block of %,d bytes is larger than the store's budget of %,d bytes; nothing was evicted. Raise the budget, or use smaller blocks or a smaller element type"
              .formatted(bytes, budget));
    }
    if (bytes() + bytes <= budget) {
      return;
    }
    try {
      run(budget - bytes, false);
    } catch (GatunException e) {
      throw new GatunException(
          "a block of %,d bytes would pass the store's budget of %,d bytes: %s"
              .formatted(bytes, budget, e.getMessage()),
          e);
    }
  }

  /** Takes victims by age until the target is met, then leaves out those that it is met without. */
  private Plan plan(Catalog catalog, long targetBytes) throws IOException {
    long before = bytes();
    long now = before;
    int busy = 0;
    List<ConversationInfo> candidates = byAge(catalog);
    List<Victim> victims = new ArrayList<>();
    try {
      for (ConversationInfo info : candidates) {
        if (now <= targetBytes) {
          break;
        }
        ConversationFiles files = store.files(info.id());
        if (LockFile.hasReaders(files.lock())) {
          busy++;
          continue;
        }
        JournalSummary journal = catalog.journals().get(info.id());
        Optional<LockFile.Hold> writer = LockFile.tryWriter(files.lock());
        if (writer.isEmpty()) {
          busy++;
          continue;
        }
        Victim victim;
        try {
          victim = victim(catalog, info, files, journal, writer.get());
        } catch (IOException | RuntimeException | Error e) {
          letGo(List.of(writer.get()));
          throw e;
        }
        victims.add(victim);
        now -= victim.bytes;
      }
      if (now <= targetBytes) {
        now = leaveOut(catalog, victims, before, targetBytes);
      }
      return new Plan(victims, before, now, why(catalog, busy));
    } catch (IOException | RuntimeException | Error e) {
      letGo(victims.stream().map(Victim::writer).toList());
      throw e;
    }
  }

  /** Lets go of all locks, also where letting go of one fails. */
  private static void letGo(List<LockFile.Hold> holds) {
    for (LockFile.Hold hold : holds) {
      try {
        hold.close();
      } catch (RuntimeException e) {
        System.getLogger("io.gatun.store")
            .log(System.Logger.Level.DEBUG, "a lock was not closed well", e);
      }
    }
  }

  /**
   * Drops victims from the plan, the last used first, as long as the target is met without them: one
   * whose blocks others need frees nothing worth its loss.
   */
  private long leaveOut(Catalog catalog, List<Victim> victims, long before, long targetBytes)
      throws IOException {
    for (int i = victims.size() - 1; i >= 0; i--) {
      Victim out = victims.get(i);
      List<Victim> rest = new ArrayList<>(victims);
      rest.remove(i);
      Map<String, Victim> again = new HashMap<>();
      long now = replan(catalog, victims, rest, before, again);
      if (now <= targetBytes) {
        out.writer.close();
        victims.remove(i);
        victims.replaceAll(victim -> again.get(victim.info.id()));
      } else {
        replan(catalog, rest, victims, before, new HashMap<>());
      }
    }
    long now = before;
    for (Victim victim : victims) {
      now -= victim.bytes;
    }
    return now;
  }

  /** Counts {@code counted} in again and {@code wanted} out; returns the bytes that are left. */
  private long replan(
      Catalog catalog,
      List<Victim> counted,
      List<Victim> wanted,
      long before,
      Map<String, Victim> again)
      throws IOException {
    counted.forEach(victim -> catalog.restore(victim.info.id(), victim.journal));
    long now = before;
    for (Victim victim : wanted) {
      Victim planned = victim(catalog, victim.info, victim.files, victim.journal, victim.writer);
      again.put(victim.info.id(), planned);
      now -= planned.bytes;
    }
    return now;
  }

  private Victim victim(
      Catalog catalog,
      ConversationInfo info,
      ConversationFiles files,
      JournalSummary journal,
      LockFile.Hold writer)
      throws IOException {
    long bytes = Catalog.folderBytes(files.folder());
    Set<Long> blocks = catalog.remove(info.id());
    for (long block : blocks) {
      bytes += store.blocks().size(block);
    }
    return new Victim(info, files, journal, writer, blocks, bytes);
  }

  private static String why(Catalog catalog, int busy) throws IOException {
    List<String> reasons = new ArrayList<>();
    List<ConversationInfo> infos = catalog.infos();
    long pinned = infos.stream().filter(ConversationInfo::pinned).count();
    long open = infos.stream().filter(ConversationInfo::openForWriting).count() + busy;
    if (pinned > 0) {
      reasons.add("%d pinned".formatted(pinned));
    }
    if (open > 0) {
      reasons.add("%d in use".formatted(open));
    }
    if (!catalog.damaged().isEmpty()) {
      reasons.add("%d damaged".formatted(catalog.damaged().size()));
    }
    String kept =
        reasons.isEmpty()
            ? "What is left is no conversation's: run gc"
            : "Conversations that stay: " + String.join(", ", reasons);
    return catalog.unreadable().map(sentence -> kept + "; " + sentence).orElse(kept);
  }

  private static List<ConversationInfo> byAge(Catalog catalog) throws IOException {
    return catalog.infos().stream()
        .filter(info -> !info.pinned() && !info.openForWriting())
        .filter(info -> catalog.journals().containsKey(info.id()))
        .sorted(
            Comparator.comparing(ConversationInfo::lastUsed).thenComparing(ConversationInfo::id))
        .toList();
  }

  /** Bytes of all files of the store. */
  long bytes() throws IOException {
    long bytes = 0;
    for (int owner : store.blocks().owners()) {
      bytes += Catalog.folderBytes(store.blocks().folder(owner));
    }
    for (String id : store.ids()) {
      bytes += Catalog.folderBytes(store.files(id).folder());
    }
    return bytes;
  }
}
