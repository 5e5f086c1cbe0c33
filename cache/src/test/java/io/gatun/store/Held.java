package io.gatun.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What this process holds of the files of a folder, removed ones included: maps and descriptors. A
 * process may have 65,530 maps, so that a path that leaves one behind ends it some day.
 */
public final class Held {
  private static final Path SELF = Path.of("/proc/self");

  private Held() {}

  /** A line for each map and each open descriptor; none where the system does not tell. */
  public static List<String> of(Path folder) throws IOException {
    List<String> held = new ArrayList<>();
    if (!Files.exists(SELF.resolve("maps"))) {
      return held;
    }
    String name = folder.toRealPath() + "/";
    for (String line : Files.readAllLines(SELF.resolve("maps"))) {
      if (line.contains(name)) {
        held.add("map " + line.substring(line.indexOf(name)));
      }
    }
    try (Stream<Path> descriptors = Files.list(SELF.resolve("fd"))) {
      for (Path descriptor : descriptors.toList()) {
        String target = target(descriptor);
        if (target.startsWith(name)) {
          held.add("descriptor of " + target);
        }
      }
    }
    return held;
  }

  private static String target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException e) {
      // Closed since it was listed, as the one that listed them.
      return "";
    }
  }
}
