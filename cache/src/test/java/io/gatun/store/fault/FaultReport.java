package io.gatun.store.fault;

import io.gatun.store.fault.FaultRun.Outcome;
import io.gatun.store.fault.FaultRun.Result;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** Counts of what came of the cases, by call and form, and one example of each kind of failure. */
final class FaultReport {
  private final Map<String, Map<Outcome, Integer>> rows = new TreeMap<>();
  private final Map<String, Finding> findings = new TreeMap<>();
  private int cases;
  private int bad;

  /** A kind of failure: how often, in which scenarios, and the first case of it. */
  private static final class Finding {
    final String example;
    final Result result;
    final TreeSet<String> scenarios = new TreeSet<>();
    int count;

    Finding(String example, Result result) {
      this.example = example;
      this.result = result;
    }
  }

  /** Takes a case. */
  void add(String scenario, CallFault fault, boolean kill, Result result) {
    cases++;
    String row = "%-9s %s".formatted(fault.call(), fault.form().name().toLowerCase(Locale.ROOT));
    rows.computeIfAbsent(row, name -> new EnumMap<>(Outcome.class))
        .merge(result.outcome(), 1, Integer::sum);
    if (result.outcome().compareTo(Outcome.THROWN) > 0) {
      bad++;
      String kind =
          "%s, %s, %s, %s at %s"
              .formatted(
                  result.outcome(),
                  result.phase(),
                  fault.call(),
                  result.problem().getClass().getSimpleName(),
                  place(result.problem()));
      Finding finding =
          findings.computeIfAbsent(kind, name -> new Finding(name(scenario, fault, kill), result));
      finding.count++;
      finding.scenarios.add(scenario);
    }
  }

  /** How {@code -Dgatun.fault.case} names a case. */
  static String name(String scenario, CallFault fault, boolean kill) {
    return "%s|%s|%s".formatted(scenario, fault, kill ? "kill" : "end");
  }

  /** Cases that did not go as they should. */
  int bad() {
    return bad;
  }

  /** Where in the store it came from. */
  private static String place(Throwable problem) {
    return Arrays.stream(problem.getStackTrace())
        .filter(frame -> frame.getClassName().startsWith("io.gatun."))
        .filter(frame -> !frame.getClassName().contains(".fault."))
        .findFirst()
        .map(frame -> frame.getFileName() + ":" + frame.getLineNumber())
        .orElse("the test");
  }

  /** Prints the table, and the failures with their stacks. */
  void print(PrintStream out) {
    for (Finding finding : findings.values()) {
      out.println("---");
      out.printf("%d cases, in %s%n", finding.count, finding.scenarios);
      out.printf("-Dgatun.fault.case='%s'%n", finding.example);
      out.printf(
          "%s while %s; failed was: %s%n",
          finding.result.outcome(), finding.result.phase(), finding.result.where());
      if (finding.result.thrown() != null && finding.result.thrown() != finding.result.problem()) {
        out.printf("the program was told: %s%n", finding.result.thrown());
      }
      stack(out, finding.result.problem());
    }
    out.printf("%nSystemCallFaultTest: %,d cases, %,d not as they should be%n", cases, bad);
    out.printf("%-18s", "call, form");
    for (Outcome outcome : Outcome.values()) {
      out.printf("%8s", outcome);
    }
    out.println();
    rows.forEach((name, counts) -> {
      out.printf("%-18s", name);
      for (Outcome outcome : Outcome.values()) {
        out.printf("%8d", counts.getOrDefault(outcome, 0));
      }
      out.println();
    });
  }

  private static void stack(PrintStream out, Throwable problem) {
    for (Throwable e = problem; e != null; e = e.getCause()) {
      out.printf("  %s%s%n", e == problem ? "" : "caused by ", e);
      Arrays.stream(e.getStackTrace())
          .filter(frame -> frame.getClassName().startsWith("io.gatun."))
          .limit(12)
          .forEach(frame -> out.printf("    at %s%n", frame));
    }
  }
}
