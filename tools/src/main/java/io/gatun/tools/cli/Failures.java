package io.gatun.tools.cli;

import io.gatun.cache.GatunException;
import java.io.FileNotFoundException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.ServiceConfigurationError;
import java.util.concurrent.CompletionException;
import picocli.CommandLine;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** How a command fails: one sentence for a user's mistake, exit code 2 for usage, 1 otherwise. */
public final class Failures {
  private static final String NO_HEAP =
      "gatun: the heap is too small for this; GATUN_JAVA_OPTS=-Xmx1g allows more";
  private static final boolean DEBUG = System.getenv("GATUN_DEBUG") != null;

  private Failures() {}

  /** Makes this command line, with its subcommands, fail that way. */
  public static CommandLine install(CommandLine line) {
    line.setParameterExceptionHandler(Failures::usage);
    line.setExecutionExceptionHandler((e, command, parsed) -> failed(e, command.getErr()));
    line.setExecutionStrategy(parsed -> {
      try {
        return new CommandLine.RunLast().execute(parsed);
      } catch (Error e) {
        // picocli hands exceptions only to its handler.
        return failed(e, parsed.commandSpec().commandLine().getErr());
      }
    });
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

  /** Says what failed, in a sentence; returns the exit code for it. */
  private static int failed(Throwable e, PrintWriter err) {
    try {
      err.println("gatun: " + explain(e));
      if (DEBUG) {
        e.printStackTrace(err);
      }
    } catch (OutOfMemoryError again) {
      // Not even the sentence had room: one that is there already.
      err.println(NO_HEAP);
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** A part of a command, with its exit code. */
  @FunctionalInterface
  public interface Body {
    int run();
  }

  /**
   * Runs what stands around a command line, and fails as a command does, whatever is thrown: also by
   * threads that nobody waits for, hooks of the shutdown, and while classes are loaded.
   */
  public static int guard(PrintWriter err, Body body) {
    Thread.setDefaultUncaughtExceptionHandler((thread, e) -> failed(e, err));
    try {
      return body.run();
    } catch (Exception | Error e) {
      return failed(e, err);
    }
  }

  /** The sentence that a person reads. */
  static String explain(Throwable e) {
    return switch (e) {
      case GatunException ours -> worded(ours);
      case UncheckedIOException wrapped -> explain(wrapped.getCause());
      case DirectoryIteratorException wrapped -> explain(wrapped.getCause());
      case ExecutionException wrapped when wrapped.getCause() != null ->
          explain(wrapped.getCause());
      case java.util.concurrent.ExecutionException wrapped when wrapped.getCause() != null ->
          explain(wrapped.getCause());
      case CompletionException wrapped when wrapped.getCause() != null ->
          explain(wrapped.getCause());
      case ExceptionInInitializerError wrapped when wrapped.getCause() != null ->
          explain(wrapped.getCause());
      case java.io.IOException io -> explainIo(io);
      case InvalidPathException path ->
          "'%s' cannot be a path: %s".formatted(path.getInput(), path.getReason());
      case OverlappingFileLockException _ ->
          "a file of the store is locked by other code in this process; end that first";
      case SecurityException denied ->
          "the Java platform does not allow it: " + denied.getMessage();
      case InternalError lost ->
          "a file that was mapped was cut short or could not be read while it was in use (%s); see"
                  .formatted(lost.getMessage())
              + " that its disk is sound and no other program writes to it, and run 'gatun"
              + " conversations verify'";
      case OutOfMemoryError full -> explainMemory(String.valueOf(full.getMessage()));
      case StackOverflowError _ ->
          "the input is nested too deeply for a thread's stack; GATUN_JAVA_OPTS=-Xss16m allows"
              + " more";
      case LinkageError missing ->
          "a part of Gatun or of the Java platform is missing or does not fit (%s); build Gatun anew"
                  .formatted(missing)
              + " and run it with JDK 25";
      case ServiceConfigurationError missing ->
          "a part of Gatun is missing or does not fit (%s); build Gatun anew"
              .formatted(missing.getMessage());
      default ->
          "this is a defect in Gatun (%s: %s); GATUN_DEBUG=1 prints where"
              .formatted(e.getClass().getSimpleName(), e.getMessage());
    };
  }

  /** The message, with the words for its cause where it names the cause's class. */
  private static String worded(GatunException e) {
    String message = String.valueOf(e.getMessage());
    return e.getCause() instanceof java.io.IOException cause
        ? message.replace(cause.toString(), explainIo(cause))
        : message;
  }

  private static String explainIo(java.io.IOException e) {
    return switch (e) {
      case NoSuchFileException none -> "there is no file or folder " + none.getFile();
      case AccessDeniedException denied -> "no permission for " + denied.getFile();
      case FileAlreadyExistsException exists -> exists.getFile() + " exists already";
      case NotDirectoryException file -> file.getFile() + " is not a folder";
      case DirectoryNotEmptyException full -> full.getFile() + " is a folder that is not empty";
      case FileSystemException io when io.getReason() != null ->
          io.getFile() + ": " + io.getReason();
      case FileSystemException io -> io.getFile() + ": the system refused it and gave no reason";
      case FileNotFoundException none when none.getMessage() != null -> none.getMessage();
      case ClosedByInterruptException _ -> "it was interrupted";
      case CharacterCodingException _ -> "a file that has to be UTF-8 text is not";
      default ->
          "input or output failed: "
              + (e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
    };
  }

  private static String explainMemory(String what) {
    long heap = Runtime.getRuntime().maxMemory();
    if (what.contains("irect")) {
      return "memory outside the heap ran out (%s); GATUN_JAVA_OPTS=-XX:MaxDirectMemorySize=%dm"
              .formatted(what, 2 * (heap >> 20))
          + " allows twice as much";
    }
    if (what.contains("native thread")) {
      return "the system allows no more threads (%s); 'ulimit -u' shows the limit".formatted(what);
    }
    if (what.contains("Metaspace") || what.contains("class space")) {
      return "memory for classes ran out (%s); GATUN_JAVA_OPTS=-XX:MaxMetaspaceSize=512m lifts the"
              .formatted(what)
          + " limit";
    }
    return "the heap of %s is too small for this (%s); GATUN_JAVA_OPTS=-Xmx%dm allows twice as much"
        .formatted(Sizes.human(heap), what, 2 * (heap >> 20));
  }
}
