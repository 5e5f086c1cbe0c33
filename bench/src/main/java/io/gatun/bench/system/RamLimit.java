package io.gatun.bench.system;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Puts this process into a control group with a limit on its memory, page cache included, so that
 * files larger than that can be measured on a machine with more. Closing it puts the process back
 * and removes the group.
 *
 * <p>Pages that the process touched before stay charged to its old group; what it touches from now
 * on, the mapped files of a measurement above all, counts against the limit.
 *
 * <p>Both versions are known: in version 2 the group is made beside or below the process's own,
 * where the memory controller is handed on; in version 1 below it.
 */
public final class RamLimit implements AutoCloseable {
  private static final Path MOUNT = Path.of("/sys/fs/cgroup");
  private static final Path OWN = Path.of("/proc/self/cgroup");

  private final Path group;
  private final Path home;

  private RamLimit(Path group, Path home) {
    this.group = group;
    this.home = home;
  }

  /**
   * A place where a group may be made.
   *
   * @param parent folder of the new group
   * @param home folder of the process's group
   * @param limitFile file of the new group that takes the limit
   */
  record Place(Path parent, Path home, String limitFile) {}

  /**
   * Enters a group that may use so many bytes.
   *
   * @throws GatunException if this system or its settings do not permit that; it says what to do
   */
  public static RamLimit enter(long bytes) {
    Place place;
    try {
      place = place(MOUNT, Files.isReadable(OWN) ? Files.readAllLines(OWN) : List.of());
    } catch (IOException e) {
      throw refused(bytes, e.getMessage(), e);
    }
    if (place == null) {
      throw refused(bytes, "no memory controller is handed to this process", null);
    }
    Path group = place.parent().resolve("gatun-bench-" + ProcessHandle.current().pid());
    try {
      Files.createDirectory(group);
      try {
        Files.writeString(group.resolve(place.limitFile()), Long.toString(bytes));
        move(group);
      } catch (IOException e) {
        Files.delete(group);
        throw e;
      }
    } catch (IOException e) {
      throw refused(bytes, e.toString(), e);
    }
    return new RamLimit(group, place.home());
  }

  private static GatunException refused(long bytes, String why, Throwable cause) {
    return new GatunException(
        "a memory limit cannot be set here (%s); run the command under one instead, for instance"
                .formatted(why)
            + " systemd-run --user --scope -p MemoryMax=%d ./gatun bench scaling ..."
                .formatted(bytes),
        cause);
  }

  /**
   * Where a group may be made; null if nowhere.
   *
   * @param mount where control groups are mounted
   * @param own lines of /proc/self/cgroup: {@code hierarchy:controllers:path}
   */
  static Place place(Path mount, List<String> own) throws IOException {
    for (String line : own) {
      String[] fields = line.split(":", 3);
      String path = fields[2].substring(1);
      if (List.of(fields[1].split(",")).contains("memory")) {
        Path home = mount.resolve("memory").resolve(path);
        return Files.isDirectory(home) ? new Place(home, home, "memory.limit_in_bytes") : null;
      }
    }
    for (String line : own) {
      if (line.startsWith("0::/")) {
        Path home = mount.resolve(line.substring(4));
        for (Path parent : new Path[] {home, home.equals(mount) ? null : home.getParent()}) {
          if (parent != null && handsOnMemory(parent)) {
            return new Place(parent, home, "memory.max");
          }
        }
      }
    }
    return null;
  }

  private static boolean handsOnMemory(Path group) throws IOException {
    Path control = group.resolve("cgroup.subtree_control");
    return Files.isReadable(control)
        && List.of(Files.readString(control).strip().split(" ")).contains("memory");
  }

  private static void move(Path group) throws IOException {
    Files.writeString(group.resolve("cgroup.procs"), Long.toString(ProcessHandle.current().pid()));
  }

  /** Goes back to the group that the process came from. */
  @Override
  public void close() {
    try {
      move(home);
      Files.delete(group);
    } catch (IOException e) {
      throw new GatunException(
          "the memory limit stays: cannot go back to %s (%s)".formatted(home, e), e);
    }
  }
}
