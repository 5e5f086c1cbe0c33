package io.gatun.bench;

import io.gatun.bench.show.Numbers;

/**
 * What a measurement has to reach.
 *
 * @param bound the least value that meets it; the largest one, if {@code most}
 * @param aim the value to aim for; null if there is none
 * @param most whether smaller is better
 */
record Target(double bound, Double aim, boolean most) {
  static Target atLeast(double bound, Double aim) {
    return new Target(bound, aim, false);
  }

  static Target atMost(double bound, Double aim) {
    return new Target(bound, aim, true);
  }

  boolean met(double measured) {
    return reaches(measured, bound);
  }

  private boolean reaches(double measured, double value) {
    return most ? measured <= value : measured >= value;
  }

  /** The bound as a person says it. */
  String text() {
    return (most ? "at most " : "at least ") + Numbers.share(bound);
  }

  /**
   * Whether it is met, or by how much not. A value that is short by less than shows is said to be
   * short by 0.01: a measurement is never rounded into its target.
   */
  String verdict(double measured) {
    if (!met(measured)) {
      return "short by " + Numbers.share(Math.max(0.01, Math.abs(measured - bound)));
    }
    return aim != null && reaches(measured, aim) ? "met, the aim too" : "met";
  }
}
