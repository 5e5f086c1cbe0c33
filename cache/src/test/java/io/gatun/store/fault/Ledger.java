package io.gatun.store.fault;

import io.gatun.store.Conversation;
import io.gatun.store.Tokens;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What was asked of a store and what it acknowledged: for each conversation the states in which it
 * may be found. A call that is made adds the state that it leads to; a call that returns leaves that
 * state only.
 */
final class Ledger {
  /** A state of a conversation: its token ids, and how many of them have K/V. */
  record State(int committed, List<Integer> ids) {
    static final State ABSENT = new State(-1, List.of());

    static final State EMPTY = of(new int[0], 0);

    /** The state with these tokens. */
    static State of(int[] ids, long committed) {
      return new State((int) committed, Arrays.stream(ids).boxed().toList());
    }

    /** The state that a handle shows. */
    static State of(Conversation talk) {
      return of(talk.tokens(), talk.committedTokens());
    }

    static State of(Tokens tokens, long committed) {
      return of(tokens.toArray(), committed);
    }

    int tokens() {
      return ids.size();
    }

    /** Its token ids. */
    int[] toArray() {
      return ids.stream().mapToInt(id -> id).toArray();
    }

    /** The state after a cut. */
    State cut(int to) {
      return new State(Math.min(committed, to), ids.subList(0, to));
    }

    boolean absent() {
      return committed < 0;
    }

    @Override
    public String toString() {
      return absent()
          ? "absent"
          : "%d of %d tokens (%08x)".formatted(committed, tokens(), ids.hashCode());
    }
  }

  /** Says that a store gave less than it acknowledged, or something else. */
  static final class Broken extends AssertionError {
    private static final long serialVersionUID = 1L;

    /** Whether something is gone, and not just other than it should be. */
    final boolean lost;

    Broken(boolean lost, String message) {
      super(message);
      this.lost = lost;
    }
  }

  private final Map<String, Set<State>> states = new TreeMap<>();

  /** A copy to go on with. */
  Ledger copy() {
    Ledger copy = new Ledger();
    states.forEach((id, set) -> copy.states.put(id, new LinkedHashSet<>(set)));
    return copy;
  }

  /** A call is about to be made that leads to this state. */
  void may(String id, State state) {
    allowed(id).add(state);
  }

  /** A call came back that led to this state. */
  void is(String id, State state) {
    Set<State> set = allowed(id);
    set.clear();
    set.add(state);
  }

  /** A call is about to be made that gives one conversation the states of another. */
  void mayAs(String id, String other) {
    allowed(id).addAll(allowed(other));
  }

  /** What may be found is what a ledger of before allows for another conversation. */
  void isAs(String id, Ledger before, String other) {
    Set<State> set = allowed(id);
    set.clear();
    set.addAll(before.allowed(other));
  }

  private Set<State> allowed(String id) {
    return states.computeIfAbsent(id, name -> new LinkedHashSet<>(Set.of(State.ABSENT)));
  }

  /** All conversations that were ever spoken of. */
  Set<String> ids() {
    return states.keySet();
  }

  /** Whether a conversation has to be there. */
  boolean must(String id) {
    return allowed(id).stream().noneMatch(State::absent);
  }

  /** Whether a conversation may be there. */
  boolean can(String id) {
    return allowed(id).stream().anyMatch(state -> !state.absent());
  }

  /** The state of one that can have one only. */
  State only(String id) {
    Set<State> set = allowed(id);
    if (set.size() != 1) {
      throw new IllegalStateException("'%s' may be %s".formatted(id, set));
    }
    return set.iterator().next();
  }

  /** Refuses a state that is not allowed; {@code who} showed it. */
  void require(String who, String id, State found) {
    if (!allowed(id).contains(found)) {
      throw broken(who, id, found);
    }
  }

  /** Refuses a number of committed rows, and their history, that no allowed state has. */
  void requireCommitted(String who, String id, State found) {
    boolean fits =
        found.committed >= 0
            && allowed(id).stream()
                .anyMatch(state ->
                    state.committed == found.committed
                        && state.cut(found.committed).equals(found.cut(found.committed)));
    if (!fits) {
      throw broken(who, id, found);
    }
  }

  /** Refuses numbers of tokens that no allowed state has. */
  void requireCounts(String who, String id, int committed, int tokens) {
    boolean fits =
        allowed(id).stream()
            .anyMatch(state -> state.committed == committed && state.tokens() == tokens);
    if (!fits) {
      throw broken(who, id, new State(committed, Collections.nCopies(tokens, 0)));
    }
  }

  private Broken broken(String who, String id, State found) {
    Set<State> set = allowed(id);
    int tokens = set.stream().mapToInt(State::tokens).min().orElseThrow();
    int committed = set.stream().mapToInt(State::committed).min().orElseThrow();
    boolean lost = found.tokens() < tokens || found.committed < committed;
    return new Broken(
        lost, "%s shows '%s' with %s, where %s is right".formatted(who, id, found, set));
  }
}
