package io.gatun.bench.work;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.yardstick.Workers;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class WorkTest {
  @TempDir private Path folder;

  @Test
  void shapesAreRead() {
    assertThat(Heads.parse("14/2/64")).isEqualTo(new Heads(14, 2, 64)).hasToString("14/2/64");
    assertThat(Heads.parse("32/8").headDim()).isEqualTo(128);
    assertThat(Heads.parse("14/2/64").group()).isEqualTo(7);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "32", "32/5/128", "0/0/128", "32/8/0", "a/b/c", "32/8/128/1"})
  void otherShapesAreRefused(String text) {
    assertThatExceptionOfType(GatunException.class).isThrownBy(() -> Heads.parse(text));
  }

  @Test
  void layersRotateOverMoreThanTheProcessorCachesHold() {
    Heads heads = new Heads(32, 8, 128);
    assertThat(DecodeWork.rotatingLayers(heads, KvType.F32, 4096)).isEqualTo(17);
    assertThat(DecodeWork.rotatingLayers(heads, KvType.BF16, 4096)).isEqualTo(33);
    assertThat(DecodeWork.rotatingLayers(heads, KvType.F32, 1 << 20)).isEqualTo(1);
    assertThat(DecodeWork.bytes(heads, KvType.F32, 17, 4096)).isEqualTo(17L * 4096 * 8192);
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void decodeAndReadRunOverWhatTheySay(KvType type) {
    Heads heads = new Heads(4, 2, 64);
    try (Team team = Team.of(2);
        Workers workers = new Workers(2);
        DecodeWork work =
            new DecodeWork(heads, type, 3, 1500, Storage.MAPPED, folder, team, workers, n -> {})) {
      assertThat(work.cache().length()).isEqualTo(1500);
      assertThat(work.stepBytes() * 3).isEqualTo(1500 * work.cache().layout().bytesPerToken());
      for (int index = 0; index < 4; index++) {
        work.read(index);
        work.decode(index);
      }
      float[] out = work.out().toArray(ValueLayout.JAVA_FLOAT);
      assertThat(out).hasSize(4 * 64).doesNotContain(Float.NaN);
      assertThat(out[0]).isNotZero();
      assertThat(work.readBytes()).isEqualTo(work.stepBytes());
      // 4 query heads, a multiply and an add for 64 dims of K and of V.
      assertThat(work.operations()).isEqualTo(1500 * 4 * 2 * 128);
    }
  }

  @Test
  void prefillCountsWhatIsVisible() {
    try (Team team = Team.of(1);
        PrefillWork work = new PrefillWork(new Heads(2, 1, 64), KvType.F32, 10, 3, team)) {
      // 8, 9 and 10 visible tokens, 2 heads, 64 dims, a multiply and an add for K and for V.
      assertThat(work.operations()).isEqualTo(27 * 2 * 64 * 4);
      work.prefill(0);
      work.prefillFew(1);
    }
  }

  @Test
  void latentWorkCountsWhatItDoes() {
    assertThat(LatentWork.rotatingLayers(KvType.BF16, 4096)).isEqualTo(114);
    try (Team team = Team.of(2);
        Workers workers = new Workers(2);
        LatentWork work = new LatentWork(KvType.BF16, 2, 300, team, workers)) {
      assertThat(work.stepBytes()).isEqualTo(300L * 576 * 2 + 128L * 256 * 512 * 4);
      assertThat(work.readBytes()).isEqualTo(work.stepBytes());
      // Keys of 576, values of 512, and 256 rows of 512 to take queries in and outputs out.
      assertThat(work.operations()).isEqualTo(2.0 * 128 * (300 * 1088 + 256 * 512));
      work.read(1);
      work.decode(1);
      float[] out = work.out().toArray(ValueLayout.JAVA_FLOAT);
      assertThat(out).hasSize(128 * 128).doesNotContain(Float.NaN);
      assertThat(out[0]).isNotZero();
    }
  }
}
