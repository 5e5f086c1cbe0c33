package io.gatun.bench.peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.bench.measure.Contest;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Stream;

/**
 * Runs one match in a JVM of its own. Peers differ in the heap and the flags they need, bring
 * native libraries that do not always agree with each other, and may end the process; none of that
 * must touch the others.
 */
public final class PeerProcess {
  /**
   * What the child is told.
   *
   * @param peer name of the provider
   * @param size how much work
   * @param effort how long to measure
   * @param result file for the row
   */
  record Request(String peer, PeerWork.Size size, Contest.Effort effort, String result) {}

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String SAMPLED = "sampled";

  private PeerProcess() {}

  /** All peers of this build; only the heap loops if the profile peers was not built. */
  public static List<PeerProvider> providers() {
    return ServiceLoader.load(PeerProvider.class).stream()
        .map(ServiceLoader.Provider::get)
        .toList();
  }

  /** Runs a match in a child; a peer that cannot run gives a row with the reason. */
  public static PeerRow run(
      PeerProvider provider, PeerWork.Size size, Contest.Effort effort, Contest.Listener listener)
      throws IOException {
    Path result = Files.createTempFile("gatun-peer", ".json");
    Path errors = Files.createTempFile("gatun-peer", ".err");
    try {
      Request request = new Request(provider.name(), size, effort, result.toString());
      ProcessBuilder builder =
          new ProcessBuilder(command(provider, size, JSON.writeValueAsString(request)));
      // Not on the command line: ONNX Runtime 1.29 runs a recursive regular expression over that,
      // and a long one overflows its stack.
      builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
      // Large pages for what native peers allocate, as Gatun's own memory has them.
      builder.environment().put("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
      Process child = builder.redirectError(errors.toFile()).start();
      // Where this process is ended, the peer must not go on, unseen and on all processors.
      Thread end = new Thread(child::destroyForcibly);
      Runtime.getRuntime().addShutdownHook(end);
      try (var lines = child.inputReader()) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          if (line.equals(SAMPLED)) {
            listener.reported();
          }
        }
      }
      int code = child.waitFor();
      Runtime.getRuntime().removeShutdownHook(end);
      if (Files.size(result) > 0) {
        return JSON.readValue(result.toFile(), PeerRow.class);
      }
      return PeerRow.failed(
          provider, size, "its JVM ended with code %d: %s".formatted(code, lastLine(errors)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new GatunException("interrupted while measuring " + provider.name(), e);
    } finally {
      Files.deleteIfExists(result);
      Files.deleteIfExists(errors);
    }
  }

  static List<String> command(PeerProvider provider, PeerWork.Size size, String request) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String flag : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (!flag.startsWith("-Xmx") && !flag.startsWith("-Xms")) {
        command.add(flag);
      }
    }
    command.add("-Xmx" + ((provider.heapBytes(size) >> 20) * 5 / 4 + 512) + "m");
    command.addAll(provider.jvmFlags());
    command.add(PeerProcess.class.getName());
    command.add(request);
    return command;
  }

  private static String lastLine(Path errors) throws IOException {
    try (Stream<String> lines = Files.lines(errors)) {
      return lines
          .filter(line -> !line.isBlank() && !line.startsWith("WARNING"))
          .reduce((a, b) -> b)
          .orElse("no message");
    }
  }

  /** The child. */
  public static void main(String[] arguments) throws IOException {
    Request request = JSON.readValue(arguments[0], Request.class);
    PeerProvider provider =
        providers().stream()
            .filter(candidate -> candidate.name().equals(request.peer()))
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("no peer " + request.peer()));
    PeerRow row;
    try {
      row =
          PeerMatch.run(
              provider, request.size(), request.effort(), () -> System.out.println(SAMPLED));
    } catch (Exception | LinkageError | OutOfMemoryError e) {
      row = PeerRow.failed(provider, request.size(), reason(e));
    }
    try {
      Files.write(Path.of(request.result()), JSON.writeValueAsBytes(row));
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write the result", e);
    }
    // Native thread pools of peers would keep the process.
    System.exit(0);
  }

  private static String reason(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    String text =
        cause instanceof GatunException
            ? cause.getMessage()
            : cause.getClass().getSimpleName() + ": " + cause.getMessage();
    return text.lines().findFirst().orElse(text);
  }
}
