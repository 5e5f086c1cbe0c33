package io.gatun.tools.conversations;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every system call of an export and an import fails once; exports after power cuts. What does it,
 * {@code SystemCallFaultTest} and {@code PowerCutReadersTest}, stands in the cache module, whose
 * test classes are put on the class path of a JVM of its own.
 */
class ExportFaultTest {
  private static final boolean LONG = Boolean.getBoolean("gatun.fault");
  private static final Path CACHE = Path.of("..", "cache").toAbsolutePath().normalize();
  private static final Path TESTS = CACHE.resolve("target").resolve("test-classes");

  @TempDir Path temp;

  @BeforeEach
  void needed() throws IOException {
    Files.createDirectories(Path.of("target", "fault"));
    need(System.getProperty("os.name").equals("Linux"), "it needs Linux");
    need(System.getProperty("os.arch").equals("amd64"), "it needs x86-64");
    need(
        Stream.of(System.getenv("PATH").split(File.pathSeparator))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, "cc"))),
        "there is no cc");
    need(
        Files.exists(TESTS.resolve("io/gatun/store/fault/SystemCallFaults.class")),
        "the test classes of the cache module are not built");
  }

  private static void need(boolean fulfilled, String reason) {
    if (!fulfilled) {
      System.err.println("SKIPPED: ExportFaultTest: " + reason);
      Assumptions.abort(reason);
    }
  }

  @Test
  void anExportIsWholeOrThrowsAndAnImportTakesNothingWithIt() throws Exception {
    Path folder = Path.of("target", "fault");
    Path library = folder.resolve("libfaults.so").toAbsolutePath();
    run(
        List.of(
            "cc",
            "-O1",
            "-shared",
            "-fPIC",
            "-Wl,-z,now",
            "-o",
            library.toString(),
            CACHE.resolve("src/test/c/faults.c").toString()));
    List<String> command =
        java(
            "io.gatun.store.fault.SystemCallFaults",
            library.toString(),
            Long.toString(seed()),
            Integer.toString(Integer.getInteger("gatun.fault.rounds", LONG ? -1 : 40)),
            Integer.toString(Integer.getInteger("gatun.fault.seconds", LONG ? 7200 : 12)),
            System.getProperty("gatun.fault.case", ""),
            ExportSteps.class.getName());
    List<String> lines = run(command);
    assertThat(lines).anyMatch(line -> line.contains(" 0 not as they should be"));
  }

  @Test
  void anExportAfterAPowerCutHasWhatWasAcknowledged() throws Exception {
    need(System.getProperty("user.name").equals("root"), "it needs root");
    need(Files.isExecutable(Path.of("/sbin/mkfs.ext4")), "there is no mkfs.ext4");
    int rounds = Integer.getInteger("gatun.fault.rounds", LONG ? 100 : 2);
    List<String> command =
        java(
            "io.gatun.store.fault.PowerCutRounds",
            temp.toString(),
            Integer.toString(rounds),
            Long.toString(seed()),
            ExportSteps.class.getName());
    assertThat(run(command)).anyMatch(line -> line.contains(" 0 lost"));
  }

  private static long seed() {
    long seed = Long.getLong("gatun.fault.seed", System.nanoTime());
    System.out.printf("ExportFaultTest: -Dgatun.fault.seed=%d%n", seed);
    return seed;
  }

  private static List<String> java(String main, String... args) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
                "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path") + File.pathSeparator + TESTS,
                main));
    command.addAll(List.of(args));
    return command;
  }

  private static List<String> run(List<String> command) throws IOException, InterruptedException {
    Path errors = Path.of("target", "fault", "ExportFaultTest.stderr");
    Process child = new ProcessBuilder(command).redirectError(errors.toFile()).start();
    List<String> lines = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line; (line = reader.readLine()) != null; ) {
        System.out.println(line);
        lines.add(line);
      }
    }
    int exit = child.waitFor();
    assertThat(exit).as("%s%n%s", Files.readString(errors), String.join("\n", lines)).isZero();
    return lines;
  }
}
