package io.gatun.store;

import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a backup did.
 *
 * @param folder the backup, itself a store
 * @param conversations names of those that are in it as of now, sorted
 * @param removed names of those that were in it and are gone from the store
 * @param damaged what kept a conversation from being backed up, or from being backed up whole, by
 *     its name, a sentence each; what the backup had of it before stays
 * @param notes what else there is to say, a sentence each; nothing is lost by it
 * @param linked block files that are the store's own, under a second name
 * @param copied block files that were copied
 * @param kept block files that were there already, and right
 * @param copiedBytes bytes of those that were copied
 * @param rowBytes bytes of rows that were compared with their checksums, in the backup
 */
public record BackupReport(
    Path folder,
    List<String> conversations,
    List<String> removed,
    Map<String, String> damaged,
    List<String> notes,
    int linked,
    int copied,
    int kept,
    long copiedBytes,
    long rowBytes) {
  /** Copies the collections. */
  public BackupReport {
    conversations = List.copyOf(conversations);
    removed = List.copyOf(removed);
    damaged = Collections.unmodifiableMap(new TreeMap<>(damaged));
    notes = List.copyOf(notes);
  }

  /** Whether every conversation of the store is in the backup, whole. */
  public boolean whole() {
    return damaged.isEmpty();
  }
}
