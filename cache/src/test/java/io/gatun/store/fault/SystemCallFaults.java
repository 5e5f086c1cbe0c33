package io.gatun.store.fault;

import io.gatun.store.fault.FaultRun.Base;
import io.gatun.store.fault.FaultRun.Result;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.LogManager;

/**
 * Runs the cases of {@link SystemCallFaultTest}, in a JVM of its own: arguments are the shim's
 * library, a seed, how many cases of each scenario to run (-1 for all), how many seconds to take for
 * all of them, a case or a part of the scenarios' names, and what {@link Outside} needs. Exit code 1
 * if a case did not go as it should.
 */
public final class SystemCallFaults {
  private static final long PATIENCE = TimeUnit.SECONDS.toNanos(60);

  /** Cases of a scenario that are run however long they take. */
  private static final int FEWEST = 4;

  private static volatile String running = "";
  private static volatile long since;

  private SystemCallFaults() {}

  private record Case(CallFault fault, boolean kill) {}

  /** Runs them. */
  public static void main(String[] args) throws Exception {
    FaultShim shim = new FaultShim(Path.of(args[0]));
    long seed = Long.parseLong(args[1]);
    int most = Integer.parseInt(args[2]);
    List<Scenario> scenarios =
        args.length > 5 ? new OutsideScenarios(Outside.of(args[5])).all() : Scenarios.all();
    long share = TimeUnit.SECONDS.toNanos(Long.parseLong(args[3])) / scenarios.size();
    String chosen = args[4];
    FaultReport report = new FaultReport();
    // The store tells its log what it could not tidy up.
    LogManager.getLogManager().reset();
    watchdog();
    try (Scratch scratch = new Scratch()) {
      control(shim, Files.createDirectory(scratch.folder().resolve("control")));
      Random random = new Random(seed);
      int number = 0;
      for (Scenario scenario : scenarios) {
        if (!chosen.contains("|") && !scenario.name().contains(chosen)) {
          continue;
        }
        if (chosen.contains("|") && !chosen.startsWith(scenario.name() + "|")) {
          continue;
        }
        long start = System.nanoTime();
        step(scenario.name());
        Path folder = Files.createDirectory(scratch.folder().resolve("base" + number++));
        Base base = FaultRun.base(scenario, folder);
        List<Case> cases =
            cases(shim, scratch.folder().resolve("count" + number++), scenario, base);
        if (chosen.contains("|")) {
          String[] words = chosen.split("\\|");
          cases = List.of(new Case(CallFault.parse(words[1]), words[2].equals("kill")));
        } else if (most >= 0) {
          cases = sample(cases, most, random);
        }
        int run = 0;
        for (Case one : cases) {
          if (run >= FEWEST && System.nanoTime() - start > share) {
            break;
          }
          run++;
          step(FaultReport.name(scenario.name(), one.fault, one.kill));
          Path place = Files.createDirectory(scratch.folder().resolve("case" + number++));
          Result result = new FaultRun(shim, place, scenario).run(base, one.fault, one.kill);
          report.add(scenario.name(), one.fault, one.kill, result);
          Scratch.delete(place);
        }
        System.out.printf(
            "%-28s %,6d cases, %,d s%n",
            scenario.name(), run, TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start));
      }
    }
    report.print(System.out);
    System.out.flush();
    // Threads of the store that wait for nothing must not keep the process.
    System.exit(report.bad() > 0 ? 1 : 0);
  }

  /** What a careless program lost has to be found, or the cases below prove nothing. */
  private static void control(FaultShim shim, Path folder) throws Exception {
    Scenario careless = Scenarios.careless();
    Base base = FaultRun.base(careless, folder);
    CallFault fault = CallFault.parse("msync:1:EIO:before");
    Result result = new FaultRun(shim, folder, careless).run(base, fault, true);
    if (result.outcome() != FaultRun.Outcome.LOST) {
      throw new IllegalStateException("the control was not caught: " + result);
    }
  }

  /** Every call that the scenario makes, with every error and form that goes with it. */
  private static List<Case> cases(FaultShim shim, Path place, Scenario scenario, Base base)
      throws Exception {
    Files.createDirectory(place);
    Result sound = new FaultRun(shim, place, scenario).count(base);
    if (sound.outcome() != FaultRun.Outcome.OK) {
      throw new IllegalStateException(
          "scenario '%s' fails by itself: %s".formatted(scenario.name(), sound),
          sound.problem() == null ? sound.thrown() : sound.problem());
    }
    List<String> calls = new ArrayList<>(shim.kinds());
    calls.add(FaultShim.ANY);
    List<Case> cases = new ArrayList<>();
    for (String call : calls) {
      long count = sound.counts().getOrDefault(call, 0L);
      for (long k = 1; k <= count; k++) {
        for (CallFault.Error error : CallFault.errors(call)) {
          for (CallFault.Form form : CallFault.forms(call)) {
            boolean kill = (k + error.ordinal() + form.ordinal()) % 2 == 0;
            cases.add(new Case(new CallFault(call, k, error, form), kill));
          }
        }
      }
    }
    return cases;
  }

  /** Some of the cases, of each kind of call as many. */
  private static List<Case> sample(List<Case> cases, int most, Random random) {
    Collections.shuffle(cases, random);
    Map<String, Integer> taken = new HashMap<>();
    Map<Case, Integer> order = new IdentityHashMap<>();
    cases.forEach(one -> order.put(one, taken.merge(one.fault.call(), 1, Integer::sum)));
    return cases.stream().sorted(Comparator.comparing(order::get)).limit(most).toList();
  }

  private static void step(String name) {
    running = name;
    since = System.nanoTime();
  }

  /** Ends the process, saying where it stands, if a case never ends. */
  private static void watchdog() {
    Thread thread =
        new Thread(
            () -> {
              while (System.nanoTime() - since < PATIENCE) {
                LockSupport.parkNanos(100_000_000);
              }
              PrintStream out = System.out;
              out.println("HANGS: -Dgatun.fault.case='" + running + "'");
              for (Map.Entry<Thread, StackTraceElement[]> entry :
                  Thread.getAllStackTraces().entrySet()) {
                out.println(entry.getKey());
                Arrays.stream(entry.getValue()).forEach(frame -> out.println("    at " + frame));
              }
              out.flush();
              Runtime.getRuntime().halt(2);
            },
            "watchdog");
    thread.setDaemon(true);
    since = System.nanoTime();
    thread.start();
  }
}
