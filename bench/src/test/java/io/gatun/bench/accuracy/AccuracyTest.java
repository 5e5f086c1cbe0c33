package io.gatun.bench.accuracy;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.attention.Team;
import io.gatun.bench.work.Heads;
import io.gatun.cache.KvType;
import io.gatun.tools.model.Model;
import io.gatun.tools.recall.Recall;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AccuracyTest {
  @Test
  void errorsOfAttentionAreInTheOrderOfTheTypes() {
    try (Team team = Team.of(1);
        AttentionError gaussian = new AttentionError(Heads.parse("4/2/128"), 300, false, 1, team);
        AttentionError outliers = new AttentionError(Heads.parse("4/2/128"), 300, true, 1, team)) {
      assertThat(gaussian.of(KvType.F32)).isLessThan(2e-6);
      assertThat(gaussian.of(KvType.F16)).isBetween(1e-5, 1e-3);
      assertThat(gaussian.of(KvType.BF16)).isBetween(1e-4, 1e-2);
      assertThat(gaussian.of(KvType.Q8)).isBetween(1e-3, 2e-2);
      assertThat(gaussian.of(KvType.Q4)).isBetween(2e-2, 0.3);
      assertThat(outliers.of(KvType.Q8)).isLessThan(outliers.of(KvType.Q8_PLAIN));
      assertThat(outliers.of(KvType.Q4)).isLessThan(outliers.of(KvType.Q4_PLAIN));
    }
  }

  @Test
  void logitsOfF32AreThoseOfF32(@TempDir Path folder) {
    Recall.write(folder.resolve("recall"));
    try (Team team = Team.of(1);
        Model model = Model.load(folder.resolve("recall"))) {
      String text = Recall.text();
      int[] ids = model.tokenizer().encode(text.substring(0, 600) + text.substring(100, 260), true);
      try (LogitsError error = new LogitsError(model, ids, ids.length - 40, team)) {
        assertThat(error.of(KvType.F32)).isEqualTo(new LogitsError.Change(0, 0, 1));
        LogitsError.Change bf16 = error.of(KvType.BF16);
        assertThat(bf16.meanKl()).isBetween(0.0, 1e-2);
        assertThat(bf16.maxKl()).isGreaterThanOrEqualTo(bf16.meanKl());
        assertThat(bf16.sameTop()).isEqualTo(1);
      }
    }
  }
}
