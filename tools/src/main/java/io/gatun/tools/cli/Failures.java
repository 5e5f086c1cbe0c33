package io.gatun.tools.cli;

import io.gatun.cache.GatunException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** How a command fails: one sentence for a user's mistake, exit code 2 for usage, 1 otherwise. */
public final class Failures {
  private static final boolean DEBUG = System.getenv("GATUN_DEBUG") != null;

  private Failures() {}

  /** Makes this command line, with its subcommands, fail that way. */
  public static CommandLine install(CommandLine line) {
    line.setParameterExceptionHandler(Failures::usage);
    line.setExecutionExceptionHandler((e, command, parsed) -> failed(e, command));
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setUsageHelpAutoWidth(true);
    return line;
  }

  private static int usage(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    err.println("gatun: " + e.getMessage());
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return CommandLine.ExitCode.USAGE;
  }

  private static int failed(Exception e, CommandLine command) {
    PrintWriter err = command.getErr();
    err.println("gatun: " + explain(e));
    if (DEBUG) {
      e.printStackTrace(err);
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** The sentence that a person reads. */
  static String explain(Throwable e) {
    return switch (e) {
      case GatunException ours -> ours.getMessage();
      case UncheckedIOException wrapped -> explain(wrapped.getCause());
      case NoSuchFileException none -> "there is no file or folder " + none.getFile();
      case AccessDeniedException denied -> "no permission for " + denied.getFile();
      case FileAlreadyExistsException exists -> exists.getFile() + " exists already";
      case NotDirectoryException file -> file.getFile() + " is not a folder";
      case FileSystemException io when io.getReason() != null ->
          io.getFile() + ": " + io.getReason();
      case java.io.IOException io -> "input or output failed: " + io.getMessage();
      default ->
          "this is a defect in Gatun (%s: %s); GATUN_DEBUG=1 prints where"
              .formatted(e.getClass().getSimpleName(), e.getMessage());
    };
  }
}
