package io.gatun.bench.system;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.incubator.vector.FloatVector;

/**
 * Where and with what something was measured.
 *
 * @param cpu model of the processor
 * @param cores processors that the JVM sees
 * @param ramBytes memory of the machine; 0 if not known
 * @param os name and version of the system
 * @param jdk vendor and version of the JVM
 * @param vectorBits width of the vectors that the kernels use
 * @param commit Gatun's commit, with "+" if files were changed; "unknown" outside of a checkout
 * @param when start of the measurement, UTC
 */
public record Machine(
    String cpu,
    int cores,
    long ramBytes,
    String os,
    String jdk,
    int vectorBits,
    String commit,
    String when) {
  /** This machine, now. */
  public static Machine here() {
    return new Machine(
        field(Path.of("/proc/cpuinfo"), "model name", System.getProperty("os.arch")),
        Runtime.getRuntime().availableProcessors(),
        ProcessStatus.memory("MemTotal"),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("java.vm.vendor") + " " + Runtime.version(),
        FloatVector.SPECIES_PREFERRED.vectorBitSize(),
        checkedOut(),
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
  }

  /** One line for a person. */
  public String line() {
    return "%s, %d cores, %d-bit vectors, %s, JDK %s, commit %s, %s"
        .formatted(cpu, cores, vectorBits, os, jdk, commit, when);
  }

  private static String field(Path file, String name, String otherwise) {
    if (!Files.isReadable(file)) {
      return otherwise;
    }
    try {
      Matcher matcher =
          Pattern.compile("(?m)^" + Pattern.quote(name) + "\\s*:\\s*(.+)$")
              .matcher(Files.readString(file));
      return matcher.find() ? matcher.group(1).strip() : otherwise;
    } catch (IOException e) {
      return otherwise;
    }
  }

  /** The commit of the checkout that the class path lies in. */
  private static String checkedOut() {
    try {
      Path code =
          Path.of(Machine.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      Path folder = Files.isDirectory(code) ? code : code.getParent();
      String hash = git(folder, "rev-parse", "--short=10", "HEAD");
      if (hash.isEmpty()) {
        return "unknown";
      }
      return git(folder, "status", "--porcelain", "--untracked-files=no").isEmpty()
          ? hash
          : hash + "+";
    } catch (IOException | URISyntaxException e) {
      // No git, or not started from files: a measurement is good without the commit.
      return "unknown";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "unknown";
    }
  }

  private static String git(Path folder, String... arguments)
      throws IOException, InterruptedException {
    String[] command = new String[arguments.length + 3];
    command[0] = "git";
    command[1] = "-C";
    command[2] = folder.toString();
    System.arraycopy(arguments, 0, command, 3, arguments.length);
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String said = new String(process.getInputStream().readAllBytes()).strip();
    return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0 ? said : "";
  }
}
