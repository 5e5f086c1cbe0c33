package io.gatun.tools.cli;

import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import me.tongfei.progressbar.ProgressState;

/**
 * A progress bar on stderr, with rate and time left, where a person watches; nothing where stderr
 * goes to a file or a pipe, so that logs stay readable.
 */
public final class Progress implements AutoCloseable {
  private final ProgressBar bar;

  private Progress(ProgressBar bar) {
    this.bar = bar;
  }

  /**
   * Starts a bar.
   *
   * @param task what is being done, in one or two words
   * @param unit what is counted: {@code tokens}, {@code MiB}
   * @param total how many there are; -1 if not known
   */
  public static Progress start(String task, String unit, long total) {
    return start(task, unit, 1, total);
  }

  /** A bar over bytes, shown in MiB. */
  public static Progress bytes(String task, long total) {
    return start(task, " MiB", 1 << 20, total);
  }

  private static Progress start(String task, String unit, long unitSize, long total) {
    if (!watched()) {
      return new Progress(null);
    }
    ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName(task)
            .setUnit(" " + unit.strip(), unitSize)
            .setInitialMax(total)
            .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
            .setUpdateIntervalMillis(100)
            .setEtaFunction(Progress::timeLeft)
            .showSpeed()
            .build();
    return new Progress(bar);
  }

  private static Optional<Duration> timeLeft(ProgressState state) {
    long done = state.getCurrent() - state.getStart();
    if (done <= 0 || state.getMax() <= 0) {
      return Optional.empty();
    }
    long left = state.getMax() - state.getCurrent();
    return Optional.of(state.getElapsedAfterStart().multipliedBy(left).dividedBy(done));
  }

  /** Whether stderr is a terminal. Java tells it of stdin and stdout only; Linux tells the rest. */
  private static boolean watched() {
    Path stderr = Path.of("/proc/self/fd/2");
    if (Files.isSymbolicLink(stderr)) {
      try {
        String device = Files.readSymbolicLink(stderr).toString();
        return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty");
      } catch (IOException e) {
        return false;
      }
    }
    Console console = System.console();
    return console != null && console.isTerminal();
  }

  /** Says how many are done in all. */
  public void to(long done) {
    if (bar != null) {
      bar.stepTo(done);
    }
  }

  /** Says that {@code more} are done. */
  public void by(long more) {
    if (bar != null) {
      bar.stepBy(more);
    }
  }

  /** Ends the bar and leaves it on the screen. */
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
