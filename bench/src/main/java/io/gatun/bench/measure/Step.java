package io.gatun.bench.measure;

/** One unit of the work that is timed: a layer-step of a decode, a read of the same bytes. */
@FunctionalInterface
public interface Step {
  /**
   * Does the work once.
   *
   * @param index counts the calls, so that the step can rotate over its layers
   */
  void run(int index);
}
