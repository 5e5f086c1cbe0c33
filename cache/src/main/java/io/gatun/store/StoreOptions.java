package io.gatun.store;

import java.time.Duration;
import java.util.Objects;

/**
 * How a store behaves. The defaults: token ids are on disk 50 ms after they were accepted, K/V is
 * committed when asked for and on close, committed rows are checked when a conversation was not
 * closed, and there is no disk budget.
 *
 * @param tokenDelay longest time from accepting a token id until its force begins; zero forces
 *     before {@code accept} returns
 * @param commitEvery commits K/V whenever the sequence passes a multiple of this many rows of its
 *     block; 0 for never
 * @param commitOnClose whether closing a conversation commits it
 * @param validation when the checksums of committed rows are compared on opening
 * @param budgetBytes disk space that the store may take before conversations that were not used for
 *     longest are evicted; 0 for no limit
 */
public record StoreOptions(
    Duration tokenDelay,
    int commitEvery,
    boolean commitOnClose,
    Validation validation,
    long budgetBytes) {

  /** When the checksums of committed rows are compared on opening. */
  public enum Validation {
    /** Never; damage inside rows is found by {@code verify} only. */
    NEVER,
    /** When the last writer did not close the conversation. */
    AFTER_UNCLEAN_EXIT,
    /** At every opening for writing. */
    ALWAYS
  }

  /** Checks the numbers. */
  public StoreOptions {
    Objects.requireNonNull(validation, "validation");
    if (tokenDelay.isNegative()) {
      throw new IllegalArgumentException("tokenDelay is negative: " + tokenDelay);
    }
    if (commitEvery < 0) {
      throw new IllegalArgumentException("commitEvery is negative: " + commitEvery);
    }
    if (budgetBytes < 0) {
      throw new IllegalArgumentException("budgetBytes is negative: " + budgetBytes);
    }
  }

  /** The defaults. */
  public static StoreOptions defaults() {
    return new StoreOptions(Duration.ofMillis(50), 0, true, Validation.AFTER_UNCLEAN_EXIT, 0);
  }

  /** With another {@link #tokenDelay}. */
  public StoreOptions withTokenDelay(Duration delay) {
    return new StoreOptions(delay, commitEvery, commitOnClose, validation, budgetBytes);
  }

  /** With another {@link #commitEvery}. */
  public StoreOptions withCommitEvery(int tokens) {
    return new StoreOptions(tokenDelay, tokens, commitOnClose, validation, budgetBytes);
  }

  /** With another {@link #commitOnClose}. */
  public StoreOptions withCommitOnClose(boolean commit) {
    return new StoreOptions(tokenDelay, commitEvery, commit, validation, budgetBytes);
  }

  /** With another {@link #validation}. */
  public StoreOptions withValidation(Validation when) {
    return new StoreOptions(tokenDelay, commitEvery, commitOnClose, when, budgetBytes);
  }

  /** With another {@link #budgetBytes}. */
  public StoreOptions withBudgetBytes(long bytes) {
    return new StoreOptions(tokenDelay, commitEvery, commitOnClose, validation, bytes);
  }
}
