package io.gatun.tools.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.config.AttentionShape;
import io.gatun.tools.config.ModelCatalog;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The planner's arithmetic against figures that were worked out by hand. */
class CacheCostTest {
  private static final long GIB = 1L << 30;

  private static AttentionShape model(int layers, int heads, int kvHeads, int headDim) {
    return new AttentionShape(
        "test",
        heads,
        kvHeads,
        headDim,
        headDim,
        null,
        AttentionShape.fullAttention(layers),
        0,
        0,
        AttentionShape.Source.GIVEN);
  }

  private static long bytes(AttentionShape model, KvType type, long tokens) {
    return CacheCost.of(model, type, 1).bytesAt(tokens);
  }

  private static long bytes(String model, KvType type, long tokens) {
    return bytes(ModelCatalog.find(model), type, tokens);
  }

  @Test
  void eightHeadsOf64InF32() {
    // 2 (K and V) x 8 heads x 64 dims x 4 bytes x 1,000 tokens
    assertThat(bytes(model(1, 8, 8, 64), KvType.F32, 1000)).isEqualTo(4_096_000);
    assertThat(bytes(model(32, 8, 8, 64), KvType.F32, 1000)).isEqualTo(131_072_000);
    assertThat(bytes(model(1, 8, 2, 64), KvType.F32, 1000)).isEqualTo(4_096_000 / 4);
    assertThat(bytes(model(32, 8, 2, 64), KvType.F32, 1000)).isEqualTo(131_072_000 / 4);
  }

  @Test
  void gpt2At1024() {
    assertThat(bytes("GPT-2 124M", KvType.F16, 1024)).isEqualTo(36L << 20);
  }

  @Test
  void gpt3At1024() {
    assertThat(bytes("GPT-3 175B", KvType.F16, 1024)).isEqualTo(9 * GIB / 2);
  }

  @Test
  void llama2With70BillionAt4096() {
    Plan plan = new Plan(ModelCatalog.find("Llama-2-70B"), KvType.F16, 4096, 1, 80 * GIB, 0);
    assertThat(plan.totalBytes()).isEqualTo(5 * GIB / 4);
    assertThat(plan.mhaBytes()).isEqualTo(10 * GIB);
    assertThat(plan.savedAgainstMha()).isEqualTo(0.875);
  }

  @Test
  void mistralWithAndWithoutItsWindow() {
    Plan plan = new Plan(ModelCatalog.find("Mistral-7B-v0.1"), KvType.F16, 8192, 1, GIB, 0);
    assertThat(plan.bytesWithoutWindows()).isEqualTo(GIB);
    assertThat(plan.totalBytes()).isEqualTo(GIB / 2);
    // Gatun keeps every token.
    assertThat(plan.gatunBytes()).isEqualTo(GIB);
  }

  @Test
  void multiHeadAttentionOfDeepSeekSizeAt100000() {
    // 61 x 2 x 128 x 128 x 2 x 100,000: about 400 GB, 372 GiB
    long bytes = bytes(model(61, 128, 128, 128), KvType.F16, 100_000);
    assertThat(bytes).isEqualTo(399_769_600_000L);
    assertThat(bytes / 1e9).isCloseTo(400, within(0.5));
  }

  @Test
  void latentCacheOfDeepSeekV3() {
    // 61 x (512 + 64) x 2: the values lie in the keys
    CacheCost cost = CacheCost.of(ModelCatalog.find("DeepSeek-V3"), KvType.BF16, 1);
    assertThat(cost.bytesPerToken()).isEqualTo(70_272);
    assertThat(cost.bytesAt(100_000)).isEqualTo(7_027_200_000L);
    // A block of Gatun has no value plane for it either: 1,024 rows a layer are whole pages.
    assertThat(cost.gatunBytes(1)).isEqualTo(70_272L * 1024);
  }

  @Test
  void tokensIn80GB() {
    CacheCost gqa = CacheCost.of(model(32, 32, 8, 128), KvType.F16, 1);
    CacheCost mha = CacheCost.of(model(32, 32, 32, 128), KvType.F16, 1);
    // 80e9 / 131,072 and 80e9 / 524,288
    assertThat(gqa.maxTokens(80_000_000_000L)).hasValue(610_351);
    assertThat(mha.maxTokens(80_000_000_000L)).hasValue(152_587);
    assertThat(gqa.maxTokens(80 * GIB)).hasValue(655_360);
    assertThat(mha.maxTokens(80 * GIB)).hasValue(163_840);
  }

  @Test
  void everyModelOfTheTableAgreesWithItsByteColumn() {
    List<String[]> rows = ModelCatalog.rows();
    assertThat(rows).hasSize(47);
    for (String[] row : rows) {
      AttentionShape model = ModelCatalog.find(row[0]);
      assertThat(CacheCost.of(model, KvType.F16, 1).bytesPerToken())
          .as(row[0])
          .isEqualTo(Long.parseLong(row[13]));
    }
  }

  @Test
  void theBudgetIsUsedToTheLastToken() {
    for (AttentionShape model : ModelCatalog.all()) {
      CacheCost cost = CacheCost.of(model, KvType.BF16, 3);
      long budget = 24 * GIB;
      cost.maxTokens(budget)
          .ifPresentOrElse(
              max -> {
                assertThat(cost.bytesAt(max)).as(model.name()).isLessThanOrEqualTo(budget);
                assertThat(cost.bytesAt(max + 1)).as(model.name()).isGreaterThan(budget);
              },
              () -> assertThat(cost.bytesAt(1L << 40)).isLessThanOrEqualTo(budget));
    }
  }

  @Test
  void windowsBoundTheBytes() {
    CacheCost mistral = CacheCost.of(ModelCatalog.find("Mistral-7B-v0.1"), KvType.F16, 1);
    assertThat(mistral.bytesAt(4096)).isEqualTo(GIB / 2);
    assertThat(mistral.bytesAt(1L << 40)).isEqualTo(GIB / 2);
    assertThat(mistral.maxTokens(GIB / 2)).isEmpty();
    assertThat(mistral.maxTokens(GIB / 2 - 1)).hasValue(4095);
    // 52 layers keep 1,024 tokens, 10 keep all; a layer's row is 16 x 2 x 128 x 2 = 8,192 bytes.
    assertThat(bytes("Gemma-3-27B", KvType.F16, 131_072))
        .isEqualTo((52L * 1024 + 10L * 131_072) * 8192);
  }

  @Test
  void layersWithoutKeysAndValuesCostNothing() {
    List<Long> windows = new java.util.ArrayList<>(Collections.nCopies(3, AttentionShape.NO_KV));
    windows.add(AttentionShape.FULL);
    AttentionShape hybrid =
        new AttentionShape(
            "hybrid", 8, 2, 64, 64, null, windows, 0, 0, AttentionShape.Source.GIVEN);
    assertThat(bytes(hybrid, KvType.F32, 1000)).isEqualTo(1_024_000);
    assertThat(hybrid.kvLayers()).isEqualTo(1);
  }

  @Test
  void theFloorIsBytesOverBandwidth() {
    Plan plan = new Plan(ModelCatalog.find("Llama-3.1-8B"), KvType.BF16, 131_072, 2, GIB, 40e9);
    assertThat(plan.attentionFloorSeconds()).isEqualTo(2 * 16.0 * GIB / 40e9);
  }

  @Test
  void overflowIsSaidAndNotWrapped() {
    assertThatThrownBy(() -> bytes("GPT-3 175B", KvType.F32, Long.MAX_VALUE / 2))
        .isInstanceOf(GatunException.class)
        .hasMessageContaining("pass 2^63 bytes");
    assertThat(CacheCost.of(model(1, 1, 1, 1), KvType.F16, 1).maxTokens(Long.MAX_VALUE))
        .hasValue(Long.MAX_VALUE / 4);
  }

  @Test
  void headsMustShareEvenly() {
    assertThatThrownBy(() -> model(1, 8, 3, 64))
        .isInstanceOf(GatunException.class)
        .hasMessage("test: 8 query heads cannot be shared out evenly among 3 KV heads");
  }
}
