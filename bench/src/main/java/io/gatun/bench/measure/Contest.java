package io.gatun.bench.measure;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Times several steps beside each other: in every round each of them runs for a while, and the
 * order turns from round to round. What the host does to one round it does to all that run in it,
 * so the ratios of a round say more than the times; both are kept.
 *
 * <p>A sample is the mean time of one step over as many calls as fill the sample time.
 */
public final class Contest {
  /**
   * How long to measure.
   *
   * @param rounds rounds, each a sample of every contender
   * @param sampleMillis least time of a sample
   * @param warmUpMillis time that each contender runs before the first round
   * @param settleMillis pause before each sample, so that the threads of the contender before, which
   *     may look out for work for a while, have gone to sleep
   */
  public record Effort(int rounds, int sampleMillis, int warmUpMillis, int settleMillis) {
    /** An effort without pauses. */
    public Effort(int rounds, int sampleMillis, int warmUpMillis) {
      this(rounds, sampleMillis, warmUpMillis, 0);
    }

    /** The same with a pause before each sample. */
    public Effort settling(int millis) {
      return new Effort(rounds, sampleMillis, warmUpMillis, millis);
    }

    /** Checks the numbers. */
    public Effort {
      if (rounds < 1 || sampleMillis < 1 || warmUpMillis < 0 || settleMillis < 0) {
        throw new IllegalArgumentException(
            "%d rounds of %d ms after %d ms are not measurable"
                .formatted(rounds, sampleMillis, warmUpMillis));
      }
    }

    /** Seconds that a contest of so many contenders takes, roughly. */
    public double seconds(int contenders) {
      return contenders * (warmUpMillis + (double) rounds * (sampleMillis + settleMillis)) / 1000;
    }

    /** How often a listener is told of something, with so many contenders. */
    public long reports(int contenders) {
      return contenders * (rounds + 1L);
    }
  }

  /** Told after each warm-up and each sample, for a progress bar. */
  @FunctionalInterface
  public interface Listener {
    /** One more contender is warm, or one more sample was taken. */
    void reported();
  }

  /** Bytes that a call allocates if its vectors are objects: no compiled step comes near it. */
  private static final long BOXING = 256 << 10;

  /** A contender that does not come to rest is warmed up so many times as long at most. */
  private static final int RESTLESS = 4;

  /** One that allocates as interpreted vector code does is warmed up this long at most. */
  private static final long MOST_WARM_UP_NANOS = 20_000_000_000L;

  private record Entrant(String name, Step step, Step warmUp) {}

  private final List<Entrant> entrants = new ArrayList<>();

  /** Adds a contender. */
  public Contest add(String name, Step step) {
    return add(name, step, step);
  }

  /**
   * Adds a contender whose calls take so long that few would fit in a warm-up.
   *
   * @param warmUp the same code over less work, called until it is warm in place of the step
   */
  public Contest add(String name, Step step, Step warmUp) {
    entrants.add(new Entrant(name, step, warmUp));
    return this;
  }

  /** How many contenders there are. */
  public int size() {
    return entrants.size();
  }

  /** Runs all rounds. */
  public Result run(Effort effort, Listener listener) {
    int n = entrants.size();
    int[] calls = new int[n];
    int[] next = new int[n];
    for (int i = 0; i < n; i++) {
      calls[i] = warmUp(i, effort, next);
      listener.reported();
    }
    double[][] nanos = new double[n][effort.rounds()]; // [contender][round]
    for (int round = 0; round < effort.rounds(); round++) {
      for (int turn = 0; turn < n; turn++) {
        // Every second round runs backwards: neither is anyone always first, nor always behind
        // the same other one.
        int i = round % 2 == 0 ? (turn + round / 2) % n : (n - 1 - turn + round / 2) % n;
        Step step = entrants.get(i).step();
        if (effort.settleMillis() > 0) {
          settle(effort.settleMillis());
          time(step, next[i]++, 1);
        }
        long time = time(step, next[i], calls[i]);
        next[i] += calls[i];
        nanos[i][round] = (double) time / calls[i];
        listener.reported();
      }
    }
    return new Result(entrants.stream().map(Entrant::name).toList(), nanos);
  }

  /**
   * Runs one contender for the warm-up time, and then on until neither the compiler nor its own
   * speed has moved for half of that time, at most {@link #RESTLESS} times as long; but first for as
   * long as it allocates as only interpreted vector code does, up to {@link #MOST_WARM_UP_NANOS}. On
   * a busy machine the compiler gets its turn late, and a step that runs interpreted is no sample.
   *
   * @return how many calls fill a sample
   */
  private int warmUp(int i, Effort effort, int[] next) {
    Entrant entrant = entrants.get(i);
    Step step = entrant.warmUp();
    CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
    Allocation allocation = new Allocation();
    long sample = effort.sampleMillis() * 1_000_000L;
    long least = effort.warmUpMillis() * 1_000_000L;
    long start = System.nanoTime();
    long moved = start;
    long compiledSince = start;
    long jit = 0;
    double best = Double.POSITIVE_INFINITY;
    int calls = 1;
    boolean warm;
    do {
      long allocated = allocation.bytes();
      long time = time(step, next[i], calls);
      next[i] += calls;
      boolean boxing = (allocation.bytes() - allocated) / calls > BOXING;
      long now = System.nanoTime();
      double perCall = Math.max(1.0, time) / calls;
      long jitBefore = jit;
      jit = compiler == null ? 0 : compiler.getTotalCompilationTime();
      // A compiler that is busy for less than a tenth of the time has the small methods at hand.
      boolean compiling = (jit - jitBefore) * 10_000_000 > time;
      if (boxing || compiling || perCall < 0.95 * best) {
        moved = now;
      }
      if (boxing) {
        compiledSince = now;
      }
      best = Math.min(best, perCall);
      // Grow step by step: the first calls may be a hundred times slower than the later ones.
      calls = Math.clamp((long) Math.ceil(sample / best), 1, 4 * calls);
      boolean resting = now - moved >= least / 2 || now - compiledSince >= RESTLESS * least;
      long spent = now - start;
      warm = spent >= least && (resting || boxing && spent >= MOST_WARM_UP_NANOS);
    } while (!warm);
    if (step != entrant.step()) {
      best = time(entrant.step(), next[i]++, 1);
    }
    return Math.max(1, (int) Math.ceil(sample / best));
  }

  private static void settle(int millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while measuring", e);
    }
  }

  private static long time(Step step, int from, int calls) {
    long start = System.nanoTime();
    for (int call = 0; call < calls; call++) {
      step.run(from + call);
    }
    return System.nanoTime() - start;
  }

  /** The samples of a contest. */
  public static final class Result {
    private final List<String> names;
    private final double[][] nanos; // [contender][round]

    /** Samples in nanoseconds per step, one row per name, one column per round. */
    public Result(List<String> names, double[][] nanos) {
      this.names = List.copyOf(names);
      this.nanos = nanos;
    }

    /** Nanoseconds per step of one contender, by round. */
    public double[] samples(String name) {
      int i = names.indexOf(name);
      if (i < 0) {
        throw new IllegalArgumentException("no contender " + name + " among " + names);
      }
      return nanos[i];
    }

    /** Nanoseconds per step. */
    public Summary time(String name) {
      return Summary.of(samples(name));
    }

    /** Amounts per nanosecond, if a step handles {@code amount}: bytes give GB/s. */
    public Summary rate(String name, double amount) {
      return Summary.of(Arrays.stream(samples(name)).map(t -> amount / t).toArray());
    }

    /** Time of {@code name} divided by time of {@code other}, round by round. */
    public Summary ratio(String name, String other) {
      double[] a = samples(name);
      double[] b = samples(other);
      double[] ratios = new double[a.length];
      for (int i = 0; i < a.length; i++) {
        ratios[i] = a[i] / b[i];
      }
      return Summary.of(ratios);
    }

    /**
     * These samples and one more series, made of them round by round: a time that something would
     * have taken in each round.
     */
    public Result with(String name, double[] derived) {
      List<String> all = new ArrayList<>(names);
      all.add(name);
      double[][] samples = Arrays.copyOf(nanos, nanos.length + 1);
      samples[nanos.length] = derived;
      return new Result(all, samples);
    }

    /** The samples of one contender, each {@code factor} times as long: as if it had done more. */
    public double[] scaled(String name, double factor) {
      return Arrays.stream(samples(name)).map(t -> t * factor).toArray();
    }

    /** The longer of two contenders' samples, round by round. */
    public double[] longer(String name, String other) {
      double[] longer = samples(name).clone();
      double[] b = samples(other);
      for (int i = 0; i < longer.length; i++) {
        longer[i] = Math.max(longer[i], b[i]);
      }
      return longer;
    }

    /**
     * The share of a roof that {@code name} reaches, round by round: the time of {@code ceiling}
     * divided by its own. Where the ceiling moved more than {@code most} per nanosecond, the roof is
     * {@code most}.
     *
     * @param amount what a step of both handles
     */
    public Summary share(String name, String ceiling, double amount, double most) {
      double[] own = samples(name);
      double[] roof = samples(ceiling);
      double[] shares = new double[own.length];
      for (int i = 0; i < own.length; i++) {
        shares[i] = Math.max(roof[i], amount / most) / own[i];
      }
      return Summary.of(shares);
    }
  }
}
