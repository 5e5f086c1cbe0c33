package io.gatun.tools.convert;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.TensorType;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The f64 pass and the decoder, which share no kernel, put the same keys and values into a cache. */
class TextPassTest {
  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2", "qwen3", "mistral"})
  void agreesWithTheDecoder(String type, @TempDir Path temp) {
    Path folder = Checkpoints.random(temp.resolve("model"), type, 6, 2, TensorType.BF16, 1 << 30);
    int[] ids = new int[45];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = 91 * i % 256;
    }
    try (Model model = Model.load(folder);
        Team team = Team.of(2);
        KvCache cache = KvCache.builder(model.kvShape()).build();
        Decoder decoder = new Decoder(model, cache, team);
        Checkpoint checkpoint = Checkpoint.open(folder);
        TextPass pass = new TextPass(checkpoint, model.config(), ids, team)) {
      decoder.prefill(ids, 0, ids.length);
      KvView view = cache.live();
      int[] visited = {0};
      pass.run(a -> {
        visited[0]++;
        float[] row = new float[Checkpoints.HEAD_DIM];
        for (int head = 0; head < 2; head++) {
          for (int t = 0; t < ids.length; t++) {
            RowReader.key(view, a.index(), head, t, row);
            compare(row, a.layer().k().toArray(ValueLayout.JAVA_DOUBLE), t, head);
            RowReader.value(view, a.index(), head, t, row);
            compare(row, a.layer().v().toArray(ValueLayout.JAVA_DOUBLE), t, head);
          }
        }
      });
      assertThat(visited[0]).isEqualTo(3);
    }
  }

  private static void compare(float[] row, double[] all, int token, int head) {
    for (int i = 0; i < row.length; i++) {
      double expected = all[(token * 2 + head) * row.length + i];
      assertThat(Math.abs(row[i] - expected)).isLessThan(2e-5);
    }
  }
}
