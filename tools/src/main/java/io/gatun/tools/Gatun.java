package io.gatun.tools;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.CommandProvider;
import io.gatun.tools.cli.Failures;
import io.gatun.tools.conversations.ConversationsCommand;
import io.gatun.tools.convert.ConvertCommand;
import io.gatun.tools.inspect.InspectCommand;
import io.gatun.tools.plan.PlanCommand;
import io.gatun.tools.report.ReportCommand;
import io.gatun.tools.run.RunCommand;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The {@code gatun} command: its subcommands, and how it ends when one fails. */
@Command(
    name = "gatun",
    mixinStandardHelpOptions = true,
    version = "gatun 0.1.0",
    subcommands = {
      RunCommand.class,
      InspectCommand.class,
      ConversationsCommand.class,
      ModelCommand.class,
      PlanCommand.class,
      ConvertCommand.class,
      ReportCommand.class
    },
    description = {
      "An off-heap, memory-mapped KV cache for transformer decoding.",
      "",
      "With no model given, the commands use the built-in one, `recall`, which continues any"
          + " passage of its context verbatim. Try: gatun run",
      ""
    },
    footer = {
      "",
      "Exit codes: 0 done, 1 it failed (the message says why), 2 wrong usage.",
      "Environment: GATUN_JAVA_OPTS adds JVM flags (-Xmx64m ...), GATUN_DEBUG=1 prints stack"
          + " traces."
    })
public final class Gatun implements Runnable {
  @Spec private CommandSpec spec;

  private Gatun() {}

  /** The whole command line, ready to execute. */
  public static CommandLine commandLine() {
    CommandLine line = new CommandLine(new Gatun());
    for (CommandProvider provider : ServiceLoader.load(CommandProvider.class)) {
      line.addSubcommand(provider.command());
    }
    line.registerConverter(KvType.class, Gatun::kvType);
    return Failures.install(line);
  }

  /** Labels such as {@code q8-plain}, in any case. */
  private static KvType kvType(String label) {
    try {
      return KvType.ofLabel(label);
    } catch (GatunException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }

  /** Runs one command and exits with its code. */
  public static void main(String[] args) {
    // Generated text and box-drawing characters are UTF-8 whatever the locale is.
    PrintWriter err = utf8(FileDescriptor.err);
    int code =
        Failures.guard(
            err, () -> commandLine().setOut(utf8(FileDescriptor.out)).setErr(err).execute(args));
    System.exit(code);
  }

  private static PrintWriter utf8(FileDescriptor descriptor) {
    return new PrintWriter(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing subcommand");
  }
}
