package io.gatun.store;

import java.util.List;

/**
 * What opening a conversation found.
 *
 * @param cleanExit whether the last writer had closed it
 * @param validated whether the checksums of all committed rows were compared
 * @param committedTokens tokens whose K/V can be used
 * @param knownTokens token ids known; those from {@code committedTokens} on need a prefill
 * @param reusedTokens tokens whose K/V a new conversation took over from stored ones
 * @param findings what was damaged, dropped or removed, a sentence each; empty if nothing was
 */
public record OpenReport(
    boolean cleanExit,
    boolean validated,
    long committedTokens,
    long knownTokens,
    long reusedTokens,
    List<String> findings) {

  /** Copies the findings. */
  public OpenReport {
    findings = List.copyOf(findings);
  }

  /** Tokens that are known but have no K/V: to be prefilled again. */
  public long tokensToPrefill() {
    return knownTokens - committedTokens;
  }
}
