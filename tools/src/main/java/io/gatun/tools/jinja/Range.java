package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.List;

/** Python's range. */
record Range(long start, long stop, long step) {
  /** The longest that the sandbox allows. */
  private static final int MAX = 100_000;

  Range {
    if (step == 0) {
      throw new JinjaException("range() arg 3 must not be zero");
    }
    if (count(start, stop, step) > MAX) {
      throw new JinjaException("a range of more than %,d numbers is not allowed".formatted(MAX));
    }
  }

  private static long count(long start, long stop, long step) {
    long span = step > 0 ? stop - start : start - stop;
    long by = Math.abs(step);
    return span <= 0 ? 0 : (span + by - 1) / by;
  }

  int size() {
    return (int) count(start, stop, step);
  }

  List<Object> list() {
    List<Object> numbers = new ArrayList<>();
    for (int i = 0; i < size(); i++) {
      numbers.add(start + i * step);
    }
    return numbers;
  }
}
