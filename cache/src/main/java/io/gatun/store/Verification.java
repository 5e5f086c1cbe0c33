package io.gatun.store;

import java.util.List;

/**
 * What verifying a conversation found.
 *
 * @param tokens token ids that the journal holds
 * @param committedTokens tokens whose K/V the journal promises
 * @param soundTokens of those, the ones before the first damaged row
 * @param bytesRead bytes of K/V rows that were checked
 * @param damage what is wrong, a sentence each; empty if nothing is
 */
public record Verification(
    String id,
    long tokens,
    long committedTokens,
    long soundTokens,
    long bytesRead,
    List<String> damage) {
  /** Copies the list. */
  public Verification {
    damage = List.copyOf(damage);
  }

  /** Whether nothing is wrong. */
  public boolean sound() {
    return damage.isEmpty();
  }
}
