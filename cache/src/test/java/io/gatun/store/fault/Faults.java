package io.gatun.store.fault;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** What the fault tests share: how much to run, child processes, tools of the system. */
final class Faults {
  /** Set by the Maven profile {@code fault}. */
  static final boolean LONG = Boolean.getBoolean("gatun.fault");

  private Faults() {}

  /** How much to do: little in every build, all of it under {@code -Pfault}. */
  static int rounds(int inEveryBuild, int underTheProfile) {
    return Integer.getInteger("gatun.fault.rounds", LONG ? underTheProfile : inEveryBuild);
  }

  /** How long to run, in seconds; {@code -Dgatun.fault.seconds} sets it. */
  static long seconds(int inEveryBuild, int underTheProfile) {
    return Integer.getInteger("gatun.fault.seconds", LONG ? underTheProfile : inEveryBuild);
  }

  /** A seed, fresh unless {@code -Dgatun.fault.seed} gives one, and printed. */
  static long seed(Class<?> test) {
    long seed = Long.getLong("gatun.fault.seed", System.nanoTime());
    System.out.printf("%s: -Dgatun.fault.seed=%d%n", test.getSimpleName(), seed);
    return seed;
  }

  /** A part of a test that can fail. */
  @FunctionalInterface
  interface Body {
    void run() throws Exception;
  }

  /**
   * Runs a part of a test on a store; if it fails, keeps the store as it is then, and says how to
   * look at it again: {@code FixtureTest} checks the folder that {@code -Dgatun.fault.fixture} names.
   */
  static void keeping(Class<?> test, long seed, Path store, Body body) throws Exception {
    try {
      body.run();
    } catch (Exception | Error e) {
      Path kept = Path.of("target", "fault", test.getSimpleName() + "-" + seed).toAbsolutePath();
      if (Files.exists(store)) {
        Scratch.restore(Scratch.image(store), kept);
      }
      throw new AssertionError(
          "-Dgatun.fault.seed=%d repeats the operations; the store as it was then: FixtureTest with -Dgatun.fault.fixture=%s"
              .formatted(seed, kept),
          e);
    }
  }

  /** The command line of a small JVM with this test's class path. */
  static List<String> java(Class<?> main, String... args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    Collections.addAll(
        command,
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-Xshare:auto",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
        "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
        "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
        "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
        "-cp",
        System.getProperty("java.class.path"),
        main.getName());
    Collections.addAll(command, args);
    return command;
  }

  /** Starts a process whose stdout is read by the test; stderr goes to a file. */
  static Process start(List<String> command, Path stderr) throws IOException {
    return new ProcessBuilder(command)
        .redirectError(stderr == null ? Redirect.DISCARD : Redirect.to(stderr.toFile()))
        .start();
  }

  static BufferedReader lines(Process process) {
    return new BufferedReader(
        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  /** Runs a tool of the system; its output is part of the error if it fails. */
  static String run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IOException(String.join(" ", command) + ": " + output);
      }
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
    return output;
  }

  /** Skips the test, saying so, unless this is root on Linux with these tools. */
  static void needRootAnd(String... tools) {
    need(System.getProperty("user.name").equals("root"), "it needs root");
    needTools(tools);
  }

  /** Skips the test, saying so, unless these tools are there and work. */
  static void needTools(String... tools) {
    for (String tool : tools) {
      boolean found = false;
      for (String folder : (System.getenv("PATH") + ":/sbin:/usr/sbin").split(":")) {
        found |= Files.isExecutable(Path.of(folder, tool));
      }
      need(found, "there is no " + tool);
    }
  }

  private static void need(boolean fulfilled, String reason) {
    if (!fulfilled) {
      String test =
          StackWalker.getInstance()
              .walk(frames ->
                  frames
                      .map(StackWalker.StackFrame::getClassName)
                      .filter(name -> name.endsWith("Test"))
                      .findFirst()
                      .orElse("a fault test"));
      System.err.println("SKIPPED: " + test + ": " + reason);
      Assumptions.abort(reason);
    }
  }
}
