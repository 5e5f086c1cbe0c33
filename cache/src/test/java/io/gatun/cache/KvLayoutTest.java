package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class KvLayoutTest {
  static final int[] DIMS = {1, 5, 31, 32, 33, 64, 65, 72, 80, 96, 100, 128, 192, 256, 576};

  private static void claim(BitSet bytes, long offset, long count) {
    int from = Math.toIntExact(offset);
    int to = Math.toIntExact(offset + count);
    assertThat(bytes.get(from, to).cardinality()).as("bytes %d to %d", from, to).isZero();
    bytes.set(from, to);
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void rowsAndScalesNeverOverlapAndStayInTheirSegments(KvType type) {
    for (int keyDim : DIMS) {
      int valueDim = DIMS[(keyDim * 7) % DIMS.length];
      KvLayout layout = new KvLayout(new KvShape(2, 3, keyDim, valueDim), type, type, 32);
      BitSet keys = new BitSet();
      BitSet values = new BitSet();
      for (int layer = 0; layer < 2; layer++) {
        for (int head = 0; head < 3; head++) {
          assertThat(layout.keyOffset(layer, head, 0) % 64).isZero();
          assertThat(layout.valueOffset(layer, head, 0) % 64).isZero();
          assertThat(layout.keyScaleOffset(layer, head, 0) % 64).isZero();
          assertThat(layout.valueScaleOffset(layer, head, 0) % 64).isZero();
          for (int token = 0; token < 32; token++) {
            claim(keys, layout.keyOffset(layer, head, token), type.rowBytes(keyDim));
            claim(keys, layout.keyScaleOffset(layer, head, token), 4L * type.scales(keyDim));
            claim(values, layout.valueOffset(layer, head, token), type.rowBytes(valueDim));
            claim(values, layout.valueScaleOffset(layer, head, token), 4L * type.scales(valueDim));
          }
        }
      }
      assertThat((long) keys.length()).isLessThanOrEqualTo(layout.keysBytes());
      assertThat((long) values.length()).isLessThanOrEqualTo(layout.valuesBytes());
      assertThat(layout.bytesPerToken() * 32)
          .isEqualTo((long) keys.cardinality() + values.cardinality());
    }
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void piecesAreTheRowsAndScalesInAscendingOrder(KvType type) {
    for (int dim : DIMS) {
      KvLayout layout = new KvLayout(new KvShape(2, 2, dim, 96), type, KvType.Q4, 32);
      BitSet keys = new BitSet();
      BitSet values = new BitSet();
      List<Long> order = new ArrayList<>();
      layout.forEachPiece(
          5,
          19,
          (inKeys, offset, bytes) -> {
            claim(inKeys ? keys : values, offset, bytes);
            order.add(inKeys ? offset : layout.keysBytes() + offset);
          });
      assertThat(order).isSorted().hasSize(type.quantized() ? 16 : 12);
      BitSet expectedKeys = new BitSet();
      BitSet expectedValues = new BitSet();
      for (int layer = 0; layer < 2; layer++) {
        for (int head = 0; head < 2; head++) {
          for (int token = 5; token < 19; token++) {
            claim(expectedKeys, layout.keyOffset(layer, head, token), layout.keyRowBytes());
            claim(expectedKeys, layout.keyScaleOffset(layer, head, token), layout.keyScaleBytes());
            claim(expectedValues, layout.valueOffset(layer, head, token), layout.valueRowBytes());
            long scales = layout.valueScaleOffset(layer, head, token);
            claim(expectedValues, scales, layout.valueScaleBytes());
          }
        }
      }
      assertThat(keys).isEqualTo(expectedKeys);
      assertThat(values).isEqualTo(expectedValues);
    }
  }

  @Test
  void bytesOfAQuantizedRow() {
    // Llama-3.1-8B: 8 KV heads x 128, keys and values.
    KvShape shape = new KvShape(32, 8, 128, 128);
    assertThat(KvLayout.of(shape, KvType.F16).bytesPerToken()).isEqualTo(131_072);
    assertThat(KvLayout.of(shape, KvType.Q8).bytesPerToken()).isEqualTo(131_072 * 17 / 32);
    assertThat(KvLayout.of(shape, KvType.Q4).bytesPerToken()).isEqualTo(131_072 * 9 / 32);
    int[] q8 = {16, 16, 32, 32, 48, 64, 80, 80, 80, 96, 112, 128, 192, 256, 576};
    int[] q4 = {16, 16, 16, 16, 32, 32, 48, 48, 48, 48, 64, 64, 96, 128, 288};
    int[] scales = {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 4, 9};
    for (int i = 0; i < DIMS.length; i++) {
      assertThat(KvType.Q8.rowBytes(DIMS[i])).isEqualTo(q8[i]);
      assertThat(KvType.Q4_PLAIN.rowBytes(DIMS[i])).isEqualTo(q4[i]);
      assertThat(KvType.Q4.scales(DIMS[i])).isEqualTo(scales[i]);
      assertThat(KvType.BF16.scales(DIMS[i])).isZero();
    }
  }

  @Test
  void valuesInKeysHaveTheKeysOffsetsScalesAndRotation() {
    KvLayout layout = KvLayout.of(KvShape.latent(2, 512, 64), KvType.Q4);
    assertThat(layout.keyRotation()).isEqualTo(64);
    assertThat(layout.valueRotation()).isEqualTo(64);
    assertThat(layout.valueRowBytes()).isEqualTo(288);
    assertThat(layout.valueScaleBytes()).isEqualTo(36);
    assertThat(layout.valueOffset(1, 0, 9)).isEqualTo(layout.keyOffset(1, 0, 9));
    assertThat(layout.valueScaleOffset(1, 0, 9)).isEqualTo(layout.keyScaleOffset(1, 0, 9));
    assertThat(layout.valuesBytes()).isZero();
  }

  @Test
  void valuesThatEndInsideAGroupOfTheKeysAreRefused() {
    assertThatThrownBy(() -> KvLayout.of(KvShape.latent(1, 96, 32), KvType.Q8_PLAIN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "values of 96 dims in keys of 128 dims cannot be stored as q8-plain: valueDim has to be"
                + " a multiple of 64 there; take f16, bf16 or f32");
    assertThatThrownBy(() -> KvLayout.of(KvShape.latent(1, 192, 64), KvType.Q4))
        .hasMessageContaining("a multiple of 256");
    assertThat(KvLayout.of(KvShape.latent(1, 192, 64), KvType.Q4_PLAIN).valueRotation()).isOne();
    assertThat(KvLayout.of(KvShape.latent(1, 96, 32), KvType.F16).valuesBytes()).isZero();
  }

  @ParameterizedTest
  @EnumSource(KvType.class)
  void codesAndLabelsLeadBack(KvType type) {
    assertThat(KvType.ofCode(type.code())).isSameAs(type);
    assertThat(KvType.ofLabel(type.label())).isSameAs(type);
  }

  @Test
  void unknownTypesAreRefusedWithTheKnownOnes() {
    assertThatThrownBy(() -> KvType.ofLabel("q5"))
        .hasMessage("element type 'q5' is not one of f32, f16, bf16, q8, q4, q8-plain, q4-plain");
    assertThatThrownBy(() -> KvType.ofCode(8)).hasMessageContaining("q4-plain");
  }
}
