package io.gatun.store;

import java.time.Instant;
import java.util.List;

/**
 * What an eviction did, or would do.
 *
 * @param victims the conversations that went, in order
 * @param bytesBefore disk space of the store before
 * @param bytesAfter disk space of the store after
 * @param targetBytes what was asked for; more is left if everything else is pinned or open
 * @param dryRun whether nothing was really removed
 */
public record Eviction(
    List<Victim> victims, long bytesBefore, long bytesAfter, long targetBytes, boolean dryRun) {
  /** Copies the list. */
  public Eviction {
    victims = List.copyOf(victims);
  }

  /**
   * A conversation that went.
   *
   * @param freedBytes disk space that this freed; blocks that others still need free none
   */
  public record Victim(String id, long freedBytes, Instant lastUsed) {}
}
