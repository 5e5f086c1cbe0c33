package io.gatun.bench.measure;

/**
 * What a step can at best take: the longer of reading its bytes at the ceiling and doing its
 * operations at the FMA peak, both as measured in the same rounds as the step.
 *
 * @param by which of the two is the longer one, {@link #MEMORY} or {@link #ARITHMETIC}
 * @param nanos the longer one, round by round
 * @param share that time by the step's, round by round
 * @param peakShare time of the operations at the FMA peak by the step's: how near it comes to that
 *     limit, whichever bounds it
 */
public record Bound(String by, Summary nanos, Summary share, Summary peakShare) {
  /** Reading the bytes takes longer. */
  public static final String MEMORY = "memory";

  /** The multiply-adds take longer. */
  public static final String ARITHMETIC = "arithmetic";

  private static final String COMPUTE = "bound: compute";
  private static final String LONGER = "bound: longer";

  /**
   * The bound of one contender.
   *
   * @param ceiling the contender that reads what {@code name} reads
   * @param peak the contender that multiplies and adds out of registers
   * @param peaks how many calls of {@code peak} do as many operations as a step does
   */
  public static Bound of(
      Contest.Result result, String name, String ceiling, String peak, double peaks) {
    Contest.Result more = result.with(COMPUTE, result.scaled(peak, peaks));
    more = more.with(LONGER, more.longer(ceiling, COMPUTE));
    boolean memory = more.time(ceiling).median() >= more.time(COMPUTE).median();
    return new Bound(
        memory ? MEMORY : ARITHMETIC,
        more.time(LONGER),
        more.ratio(LONGER, name),
        more.ratio(COMPUTE, name));
  }
}
