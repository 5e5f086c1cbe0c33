package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where the JVM denies native calls there is no machine code and no prefetching; attention works. */
class DeniedNativeAccessTest {
  /** Decodes once, in a JVM of its own, and prints what with. */
  public static final class Child {
    private Child() {}

    /** No arguments. */
    public static void main(String[] args) {
      try (Fixture f = new Fixture(1, new KvShape(1, 1, 64, 64), KvType.F32, KvType.F32, 16, 4);
          Team team = Team.of(1);
          GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
        f.append(40);
        MemorySegment out = f.outputs(1);
        attention.decode(f.cache.live(), 0, f.queries(1), out);
        System.out.println("decoded by " + Kernels.best().description());
      }
    }
  }

  @Test
  void decodesOnTheVectorApi() throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(flag -> flag.startsWith("--add-") || flag.startsWith("--sun-misc"))
        .forEach(command::add);
    command.addAll(
        List.of(
            "--illegal-native-access=deny",
            "-cp",
            System.getProperty("java.class.path"),
            Child.class.getName()));
    Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(child.getInputStream().readAllBytes());
    assertThat(child.waitFor()).as(said).isZero();
    assertThat(said).contains("decoded by Vector API");
  }
}
