package io.gatun.tools.cli;

import io.gatun.tools.Gatun;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** Whole command lines, in this process, and the tools of the system that tests need. */
final class Commands {
  private Commands() {}

  /** What a command came to. */
  record Result(int code, String out, String err) {}

  static Result gatun(Object... arguments) {
    String[] texts = new String[arguments.length];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = arguments[i].toString();
    }
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code =
        Gatun.commandLine()
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(texts);
    return new Result(code, out.toString(), err.toString());
  }

  /** Runs a tool of the system; skips the test, saying so, where it is not there or not allowed. */
  static void system(Class<?> test, String... command) throws IOException {
    String said;
    int code;
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      code = process.waitFor(60, TimeUnit.SECONDS) ? process.exitValue() : -1;
    } catch (IOException e) {
      code = -1;
      said = e.getMessage();
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
    if (code != 0) {
      String reason = "%s: %s".formatted(String.join(" ", command), said.strip());
      System.err.println("SKIPPED: " + test.getSimpleName() + ": " + reason);
      Assumptions.abort(reason);
    }
  }
}
