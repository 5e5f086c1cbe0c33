package io.gatun.bench.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a control group may be made, over copies of what the kernel shows. */
class RamLimitTest {
  @TempDir private Path mount;

  private Path group(String path, String control) throws IOException {
    Path group = Files.createDirectories(mount.resolve(path));
    if (control != null) {
      Files.writeString(group.resolve("cgroup.subtree_control"), control + "\n");
    }
    return group;
  }

  @Test
  void versionOneIsNestedBelowTheProcessesOwnGroup() throws IOException {
    Path home = group("memory/jobs/a", null);
    RamLimit.Place place =
        RamLimit.place(mount, List.of("8:pids:/", "4:memory:/jobs/a", "1:cpu:/", "0::/"));
    assertThat(place).isEqualTo(new RamLimit.Place(home, home, "memory.limit_in_bytes"));
  }

  @Test
  void versionTwoIsMadeBesideItsOwnGroupIfTheParentHandsMemoryOn() throws IOException {
    Path parent = group("user.slice", "cpu memory pids");
    Path home = group("user.slice/shell.scope", "");
    assertThat(RamLimit.place(mount, List.of("0::/user.slice/shell.scope")))
        .isEqualTo(new RamLimit.Place(parent, home, "memory.max"));
  }

  @Test
  void versionTwoInTheRootGroup() throws IOException {
    Path root = group("", "memory");
    assertThat(RamLimit.place(mount, List.of("0::/")))
        .isEqualTo(new RamLimit.Place(root, root, "memory.max"));
  }

  @Test
  void noPlaceWithoutTheController() throws IOException {
    group("user.slice", "cpu pids");
    group("user.slice/shell.scope", "");
    assertThat(RamLimit.place(mount, List.of("0::/user.slice/shell.scope"))).isNull();
    assertThat(RamLimit.place(mount, List.of())).isNull();
    assertThat(RamLimit.place(mount, List.of("4:memory:/gone", "0::/"))).isNull();
  }
}
