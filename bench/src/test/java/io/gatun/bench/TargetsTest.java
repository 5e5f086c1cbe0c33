package io.gatun.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.bench.measure.Bound;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.show.TargetChart;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvType;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How {@code bench targets} holds figures against targets; no test looks at a measured time. */
class TargetsTest {
  private static final Summary ONE = Summary.of(1);

  @TempDir Path folder;

  private static DecodeRow step(String type, int threads, String by, double share) {
    Summary measured = Summary.of(share);
    return new DecodeRow(
        type,
        "32/1/128",
        16_384,
        threads,
        "anonymous",
        1,
        1000,
        8000,
        Summary.of(200),
        ONE,
        Summary.of(10),
        measured,
        measured,
        Summary.of(50),
        new Bound(by, Summary.of(160), Summary.of(0.8), Summary.of(0.8)),
        0.2);
  }

  @Test
  void aTargetIsMetOrShortBySomething() {
    Target least = Target.atLeast(0.85, 0.95);
    assertThat(least.verdict(0.96)).isEqualTo("met, the aim too");
    assertThat(least.verdict(0.85)).isEqualTo("met");
    assertThat(least.verdict(0.80)).isEqualTo("short by 0.05");
    assertThat(least.verdict(0.8499)).isEqualTo("short by 0.01");
    Target most = Target.atMost(0.75, 0.60);
    assertThat(most.verdict(0.60)).isEqualTo("met, the aim too");
    assertThat(most.verdict(0.75)).isEqualTo("met");
    assertThat(most.verdict(1.0)).isEqualTo("short by 0.25");
    assertThat(Target.atMost(0.85, null).verdict(0.1)).isEqualTo("met");
    assertThat(most.text()).isEqualTo("at most 0.75");
  }

  @Test
  void typesAndThreadsHaveTheirOwnTargets() {
    assertThat(TargetRows.roof("p", step("f32", 2, Bound.MEMORY, 0.9)).target())
        .isEqualTo(Target.atLeast(0.85, 0.95));
    assertThat(TargetRows.roof("p", step("f32", 1, Bound.MEMORY, 0.9)).target())
        .isEqualTo(Target.atLeast(0.62, 0.80));
    assertThat(TargetRows.roof("p", step("f16", 2, Bound.MEMORY, 0.9)).target())
        .isEqualTo(Target.atLeast(0.75, 0.90));
    assertThat(TargetRows.roof("p", step("bf16", 1, Bound.MEMORY, 0.9)).target())
        .isEqualTo(Target.atLeast(0.46, 0.65));
    assertThat(TargetRows.quantised("p", step("q4", 2, Bound.MEMORY, 0.9), ONE).verdict())
        .isEqualTo("short by 0.15");
  }

  @Test
  void anotherShapeIsAskedForTheRoofOnlyWhereMemoryBoundsIt() {
    TargetRow memory = TargetRows.shape("p", step("f32", 2, Bound.MEMORY, 0.9));
    assertThat(memory.unit()).isEqualTo("of the roof");
    assertThat(memory.verdict()).isEqualTo("met");
    TargetRow arithmetic = TargetRows.shape("p", step("f32", 2, Bound.ARITHMETIC, 0.3));
    assertThat(arithmetic.target()).isNull();
    assertThat(arithmetic.unit()).isEqualTo("of FMA peak");
    assertThat(arithmetic.measured().median()).isEqualTo(0.8);
    assertThat(arithmetic.verdict()).isEqualTo(TargetRows.BY_ARITHMETIC);
  }

  @Test
  void aSentenceSaysWhatBoundsAStep() {
    assertThat(TargetRows.sentence(step("f32", 2, Bound.ARITHMETIC, 0.3)))
        .isEqualTo(
            "f32 32/1/128 16k x2: arithmetic bounds it; its products take 0.16 us at the FMA peak,"
                + " its bytes 0.10 us at the ceiling, and the step 0.20 us: 0.80 of that limit.\n");
  }

  @Test
  void tableCountsWhatIsMetAndLeavesOutWhatHasNoTarget() {
    List<TargetRow> rows =
        List.of(
            TargetRows.roof("first", step("f32", 2, Bound.MEMORY, 0.9)),
            TargetRows.roof("first", step("bf16", 2, Bound.MEMORY, 0.7)),
            TargetRows.shape("shapes", step("bf16", 2, Bound.ARITHMETIC, 0.3)),
            TargetRows.heap("heap", List.of(step("f32", 2, Bound.MEMORY, 0.9))));
    String text = TargetRow.table(rows);
    assertThat(text)
        .contains("first:\n")
        .contains("shapes:\n")
        .contains("short by 0.05")
        .contains("2 of 3 targets met.");
    assertThat(text.lines().filter(line -> line.equals("first:"))).hasSize(1);
  }

  @Test
  void chartIsDrawn() throws IOException {
    List<TargetRow> rows =
        List.of(
            TargetRows.roof("first", step("f32", 2, Bound.MEMORY, 0.9)),
            TargetRows.shape("shapes", step("bf16", 2, Bound.ARITHMETIC, 0.3)),
            TargetRows.heap("heap", List.of(step("f32", 2, Bound.MEMORY, 0.9))));
    assertThat(TargetRow.bars(rows)).hasSize(2);
    BufferedImage image =
        ImageIO.read(TargetChart.draw(TargetRow.bars(rows), folder, "targets").toFile());
    assertThat(image.getWidth()).isEqualTo(1100);
  }

  @Test
  void entriesOfOneContestAreMeasuredAndCompared() {
    Heads heads = new Heads(4, 2, 64);
    DecodeContest.Entry plain =
        new DecodeContest.Entry(KvType.BF16, heads, 2, 1500, Storage.ANONYMOUS);
    DecodeContest.Entry mapped =
        new DecodeContest.Entry(KvType.BF16, heads, 2, 1500, Storage.MAPPED);
    DecodeContest contest = new DecodeContest(List.of(plain, mapped), 2, folder);
    Contest.Effort effort = new Contest.Effort(2, 1, 1);
    AtomicInteger told = new AtomicInteger();
    DecodeContest.Outcome outcome = contest.run(effort, told::incrementAndGet);
    assertThat(told.get()).isEqualTo((int) contest.reports(effort));
    assertThat(outcome.rows())
        .extracting(DecodeRow::storage)
        .containsExactly("anonymous", "mapped");
    assertThat(outcome.timeRatio(plain, plain).median()).isEqualTo(1);
    assertThat(outcome.timeRatio(plain, mapped).count()).isEqualTo(2);
    for (DecodeRow row : outcome.rows()) {
      assertThat(row.operations()).isEqualTo(1500.0 * 4 * 2 * 128);
      assertThat(row.bound().by()).isIn(Bound.MEMORY, Bound.ARITHMETIC);
      assertThat(row.peakGflops().median()).isPositive();
    }
  }
}
