package io.gatun.bench.scaling;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.bench.measure.Contest;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.work.Heads;
import io.gatun.bench.work.Storage;
import io.gatun.cache.KvType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ScalingTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @EnumSource(Storage.class)
  void growsAndCounts(Storage storage) {
    Series series = new Series(storage, KvType.BF16, new Heads(4, 2, 64), 3, 0);
    ScalingRun run = new ScalingRun(2, folder, new Contest.Effort(2, 1, 0), 1e9);
    List<ScalingRow> rows = run.run(series, List.of(1024L, 2048L));
    assertThat(rows).extracting(ScalingRow::context).containsExactly(1024L, 2048L);
    ScalingRow last = rows.getLast();
    // 3 layers x 2 heads x (64 + 64) dims x 2 bytes.
    assertThat(last.stepBytes()).isEqualTo(2048L * 1536);
    assertThat(last.blockBytes()).isEqualTo(2048L * 1536);
    assertThat(last.plannedBytes()).isEqualTo(last.blockBytes());
    assertThat(last.plannedNanos()).isEqualTo(2048.0 * 1536);
    assertThat(last.fileBytes()).isEqualTo(storage == Storage.MAPPED ? 2048L * 1536 : 0);
    assertThat(last.series()).endsWith("bf16 4/2/64, 3 layers");
  }

  @Test
  void theFitLeavesOutWhatAProcessorCacheHolds() {
    List<ScalingRow> rows = new ArrayList<>();
    // 4,096 bytes a token: from 16k tokens on it is 64 MiB and more. 100 ns a token plus 1 ms.
    for (long context = 1024; context <= 65_536; context *= 2) {
      double nanos = context < 16_384 ? 7 : 1e6 + 100.0 * context;
      rows.add(row(context, nanos));
    }
    assertThat(ScalingText.fitted(rows))
        .contains("fit over 16k to 64k: 1.00 ms + 100.00 ns per token")
        .contains("41.0 GB/s")
        .contains("planner's floor: 50.00 ns per token");
    assertThat(ScalingText.fitted(rows.subList(0, 1))).contains("Too few");
    assertThat(ScalingText.text(rows)).contains("series\n").contains("ms/step").contains("64k");
  }

  @Test
  void theFitOfFilesLargerThanRamLeavesOutWhatRamHolds() {
    List<ScalingRow> rows = new ArrayList<>();
    for (long context = 65_536; context <= 524_288; context *= 2) {
      boolean fits = context < 262_144;
      rows.add(row(context, fits ? 50.0 * context : 3e6 + 6000.0 * context, fits ? 0 : 900));
    }
    assertThat(ScalingText.fitted(rows))
        .contains("fit over 256k to 512k: 3.00 ms + 6000.00 ns per token");
  }

  private static ScalingRow row(long context, double nanos) {
    return row(context, nanos, 0);
  }

  private static ScalingRow row(long context, double nanos, double majorFaults) {
    Summary one = Summary.of(1);
    return new ScalingRow(
        "series",
        "anonymous",
        "bf16",
        "32/8/128",
        1,
        context,
        context * 4096,
        0,
        Summary.of(nanos),
        one,
        one,
        one,
        1 << 20,
        1 << 28,
        1 << 24,
        0,
        majorFaults,
        50.0 * context,
        context * 4096,
        context * 4096);
  }
}
