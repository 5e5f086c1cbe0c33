package io.gatun.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.GatunException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.FileSystemException;
import java.nio.file.InvalidPathException;
import java.util.ServiceConfigurationError;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Whatever a command throws, a person reads one sentence and the exit code is 1. */
class FailuresTest {
  /** Throws what it was told to, as a class and as a method. */
  @Command(name = "fail")
  private static final class Fail implements Callable<Integer> {
    private final Throwable what;

    Fail(Throwable what) {
      this.what = what;
    }

    @Override
    public Integer call() throws Exception {
      if (what instanceof Error error) {
        throw error;
      }
      throw (Exception) what;
    }

    @Command(name = "method")
    int method() throws Exception {
      return call();
    }
  }

  private static Throwable initializer(Exception cause) {
    return new ExceptionInInitializerError(cause);
  }

  static Stream<Arguments> failures() {
    IOException broken = new FileSystemException("blocks", null, "Input/output error");
    return Stream.of(
        Arguments.of(new GatunException("a sentence"), "a sentence"),
        Arguments.of(new UncheckedIOException(broken), "blocks: Input/output error"),
        Arguments.of(new DirectoryIteratorException(broken), "blocks: Input/output error"),
        Arguments.of(new ExecutionException(broken), "blocks: Input/output error"),
        Arguments.of(new CompletionException(broken), "blocks: Input/output error"),
        Arguments.of(initializer(new GatunException("a sentence")), "a sentence"),
        Arguments.of(new FileSystemException("blocks"), "blocks: the system refused it"),
        Arguments.of(new IOException(), "input or output failed: IOException"),
        Arguments.of(new OverlappingFileLockException(), "is locked by other code"),
        Arguments.of(new SecurityException("no"), "does not allow it: no"),
        Arguments.of(new InvalidPathException("a\0b", "Nul character"), "cannot be a path"),
        Arguments.of(new InternalError("a fault"), "was cut short or could not be read while"),
        Arguments.of(new InternalError("a fault"), "run 'gatun conversations verify'"),
        Arguments.of(new OutOfMemoryError("Java heap space"), "GATUN_JAVA_OPTS=-Xmx"),
        Arguments.of(
            new OutOfMemoryError("Cannot reserve 8 bytes of direct buffer memory"),
            "-XX:MaxDirectMemorySize="),
        Arguments.of(new OutOfMemoryError("unable to create native thread"), "ulimit -u"),
        Arguments.of(new OutOfMemoryError("Metaspace"), "-XX:MaxMetaspaceSize="),
        Arguments.of(new OutOfMemoryError(), "GATUN_JAVA_OPTS=-Xmx"),
        Arguments.of(new StackOverflowError(), "-Xss"),
        Arguments.of(new NoClassDefFoundError("a/B"), "build Gatun anew"),
        Arguments.of(new ServiceConfigurationError("a.B"), "build Gatun anew"),
        Arguments.of(new IllegalStateException("odd"), "this is a defect in Gatun (Ille"));
  }

  @ParameterizedTest
  @MethodSource("failures")
  void everyFailureIsOneSentence(Throwable what, String sentence) {
    for (String[] arguments : new String[][] {{}, {"method"}}) {
      StringWriter err = new StringWriter();
      int code =
          Failures.install(new CommandLine(new Fail(what)))
              .setErr(new PrintWriter(err))
              .execute(arguments);
      check(code, err, sentence);
    }
    StringWriter err = new StringWriter();
    int code =
        Failures.guard(
            new PrintWriter(err),
            () -> {
              throw FailuresTest.<RuntimeException>unchecked(what);
            });
    check(code, err, sentence);
  }

  private static void check(int code, StringWriter err, String sentence) {
    assertThat(code).isEqualTo(1);
    assertThat(err.toString()).startsWith("gatun: ").contains(sentence).hasLineCount(1);
    assertThat(err.toString()).doesNotContain("\tat ");
  }

  @SuppressWarnings("unchecked")
  private static <E extends Throwable> E unchecked(Throwable e) throws E {
    throw (E) e;
  }

  @Test
  void aThreadThatNobodyWaitsForFailsWithASentenceToo() throws InterruptedException {
    StringWriter err = new StringWriter();
    Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
    try {
      int code =
          Failures.guard(
              new PrintWriter(err),
              () -> {
                Thread thread =
                    new Thread(() -> {
                      throw new InternalError("a fault");
                    });
                thread.start();
                try {
                  thread.join();
                } catch (InterruptedException e) {
                  throw new AssertionError(e);
                }
                return 0;
              });
      assertThat(code).isZero();
    } finally {
      Thread.setDefaultUncaughtExceptionHandler(before);
    }
    assertThat(err.toString()).startsWith("gatun: a file that was mapped").hasLineCount(1);
  }
}
