package io.gatun.store;

import java.util.List;

/**
 * What {@code gc} removed, or would remove.
 *
 * @param removed files and folders, relative to the store
 * @param bytes disk space of them
 * @param findings why something was left, if anything was
 * @param dryRun whether nothing was really removed
 */
public record Garbage(List<String> removed, long bytes, List<String> findings, boolean dryRun) {
  /** Copies the lists. */
  public Garbage {
    removed = List.copyOf(removed);
    findings = List.copyOf(findings);
  }
}
