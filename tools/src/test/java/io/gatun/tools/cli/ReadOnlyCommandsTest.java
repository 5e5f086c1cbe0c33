package io.gatun.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands on a store that lies on a read-only file system. */
class ReadOnlyCommandsTest {
  @TempDir Path temp;
  private Path mount;
  private boolean mounted;

  @BeforeEach
  void mountReadOnly() throws IOException {
    Path store = temp.resolve("store");
    Commands.Result made =
        Commands.gatun(
            "run",
            "--prompt",
            "some words",
            "--max-tokens",
            3,
            "--conversation",
            "talk",
            "--store",
            store);
    assertThat(made.code()).as(made.err()).isZero();
    mount = Files.createDirectory(temp.resolve("mount"));
    Commands.system(getClass(), "mount", "--bind", store.toString(), mount.toString());
    mounted = true;
    Commands.system(getClass(), "mount", "-o", "remount,bind,ro", mount.toString());
  }

  @AfterEach
  void unmount() throws IOException {
    if (mounted) {
      Commands.system(getClass(), "umount", mount.toString());
    }
  }

  private Commands.Result run(List<String> command) {
    List<Object> all = new ArrayList<>(command);
    all.addAll(List.of("--store", mount));
    return Commands.gatun(all.toArray());
  }

  @Test
  void whatReadsWorks() {
    Path file = temp.resolve("talk.safetensors");
    for (List<String> command :
        List.of(
            List.of("conversations", "list"),
            List.of("conversations", "show", "talk"),
            List.of("conversations", "verify"),
            List.of("conversations", "export", "talk", file.toString()),
            List.of("inspect"))) {
      Commands.Result result = run(command);
      assertThat(result.code()).as("%s: %s", command, result.err()).isZero();
      assertThat(result.out()).contains("talk");
      assertThat(result.err()).isEmpty();
    }
    Commands.Result again =
        Commands.gatun("conversations", "import", file, "--store", temp.resolve("other"));
    assertThat(again.code()).as(again.err()).isZero();
  }

  @Test
  void whatWritesIsRefusedInASentence() {
    Path file = temp.resolve("talk.safetensors");
    assertThat(run(List.of("conversations", "export", "talk", file.toString())).code()).isZero();
    for (List<String> command :
        List.of(
            List.of("conversations", "import", file.toString(), "new"),
            List.of("conversations", "fork", "talk", "new"),
            List.of("conversations", "truncate", "talk", "1"),
            List.of("conversations", "rename", "talk", "new"),
            List.of("conversations", "delete", "talk", "--yes"),
            List.of("conversations", "pin", "talk"),
            List.of("conversations", "evict", "--to", "0"),
            List.of("conversations", "gc"),
            List.of("run", "--prompt", "more", "--conversation", "talk"))) {
      Commands.Result result = run(command);
      assertThat(result.code()).as("%s: %s", command, result.out()).isEqualTo(1);
      assertThat(result.err())
          .as("%s", command)
          .contains("can only be read: ")
          .contains("Read-only file system")
          .doesNotContain("Exception")
          .hasLineCount(1);
    }
  }
}
