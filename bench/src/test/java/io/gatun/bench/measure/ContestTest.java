package io.gatun.bench.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The order of rounds and the arithmetic on their samples; no test looks at a clock's reading. */
class ContestTest {
  private static final Contest.Result RESULT =
      new Contest.Result(
          List.of("ceiling", "kernel"), new double[][] {{100, 200, 100}, {200, 250, 125}});

  @Test
  void ratiosAreTakenRoundByRound() {
    assertThat(RESULT.ratio("kernel", "ceiling").median()).isEqualTo(1.25);
    // The ratio of the medians would be 2.
    assertThat(RESULT.time("kernel").median() / RESULT.time("ceiling").median()).isEqualTo(2);
  }

  @Test
  void rateIsAmountByTime() {
    assertThat(RESULT.rate("ceiling", 5000).median()).isEqualTo(50);
  }

  @Test
  void shareIsOfTheCeilingOrOfTheMostThatCounts() {
    assertThat(RESULT.share("kernel", "ceiling", 5000, Double.POSITIVE_INFINITY).median())
        .isEqualTo(0.8);
    // 5,000 at 40 a nanosecond take 125: the roof of the rounds in which the ceiling took 100.
    assertThat(RESULT.share("kernel", "ceiling", 5000, 40))
        .isEqualTo(Summary.of(125.0 / 200, 200.0 / 250, 1.0));
  }

  @Test
  void aBoundIsTheLongerOfItsTwoLimitsInEachRound() {
    Contest.Result result =
        new Contest.Result(
            List.of("read", "peak", "step"),
            new double[][] {{100, 200, 100}, {60, 50, 70}, {240, 250, 280}});
    // Twice the peak's work takes 120, 100 and 140, so it is the longer one but in the second
    // round.
    Bound bound = Bound.of(result, "step", "read", "peak", 2);
    assertThat(bound.by()).isEqualTo(Bound.ARITHMETIC);
    assertThat(bound.nanos().median()).isEqualTo(140);
    assertThat(bound.share().median()).isEqualTo(0.5);
    assertThat(bound.peakShare().median()).isEqualTo(0.5);
    assertThat(Bound.of(result, "step", "read", "peak", 1).by()).isEqualTo(Bound.MEMORY);
  }

  @Test
  void warmsUpWithLessWorkAndSamplesTheWhole() {
    AtomicInteger few = new AtomicInteger();
    AtomicInteger whole = new AtomicInteger();
    new Contest()
        .add("long", index -> whole.incrementAndGet(), index -> few.incrementAndGet())
        .run(new Contest.Effort(2, 1, 0), () -> {});
    assertThat(few.get()).isPositive();
    assertThat(whole.get()).isGreaterThanOrEqualTo(3);
  }

  @Test
  void nobodyIsAlwaysFirst() {
    List<String> order = new ArrayList<>();
    Contest contest = new Contest();
    AtomicInteger calls = new AtomicInteger();
    for (String name : List.of("a", "b", "c")) {
      contest.add(
          name,
          index -> {
            if (order.isEmpty() || !order.getLast().equals(name)) {
              order.add(name);
            }
            calls.incrementAndGet();
            busy();
          });
    }
    AtomicInteger told = new AtomicInteger();
    Contest.Result result = contest.run(new Contest.Effort(4, 1, 0), told::incrementAndGet);
    // Three warm-ups and twelve samples.
    assertThat(told).hasValue(15);
    assertThat(new Contest.Effort(4, 1, 0).reports(3)).isEqualTo(15);
    assertThat(result.samples("b")).hasSize(4);
    assertThat(calls.get()).isGreaterThanOrEqualTo(12);
    // a, b, c warm up; then abc, cba, bca, acb. Neighbours of the same name fall together.
    assertThat(String.join("", order)).isEqualTo("abcabcbabcacb");
  }

  @Test
  void refusesUnknownNamesAndEmptyEfforts() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RESULT.samples("other"))
        .withMessageContaining("no contender other among [ceiling, kernel]");
    assertThatIllegalArgumentException().isThrownBy(() -> new Contest.Effort(0, 1, 1));
  }

  @Test
  void effortSaysHowLongItTakes() {
    assertThat(new Contest.Effort(10, 40, 800).seconds(5)).isCloseTo(6, within(1e-9));
  }

  private static void busy() {
    long end = System.nanoTime() + 200_000;
    while (System.nanoTime() < end) {
      Thread.onSpinWait();
    }
  }
}
