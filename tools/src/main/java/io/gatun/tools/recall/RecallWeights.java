package io.gatun.tools.recall;

import static io.gatun.tools.recall.RecallDesign.*;

import io.gatun.tools.safetensors.TensorSpec;
import io.gatun.tools.safetensors.TensorType;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Computes the model's tensors, under the names that Hugging Face's Llama gives them. Every matrix
 * is f32 {@code [out][in]}. The norms undo themselves: their weights are the root mean square that
 * the stream has at that place, so that the projections see the stream as {@link RecallDesign} draws
 * it, with 1 for the constant.
 */
final class RecallWeights {
  /** Scores are divided by this before the softmax. */
  private static final double SCALE = Math.sqrt(HEAD_DIM);

  private static final int QUERY_DIM = HEADS * HEAD_DIM;
  private static final int KV_DIM = KV_HEADS * HEAD_DIM;

  private final Map<TensorSpec, float[]> tensors = new LinkedHashMap<>();

  private RecallWeights() {}

  /** All tensors, in a fixed order; the same values each time. */
  static Map<TensorSpec, float[]> compute() {
    RecallWeights weights = new RecallWeights();
    weights.embedding();
    weights.firstLayer();
    weights.secondLayer();
    weights.output();
    return weights.tensors;
  }

  /** Token b is the constant and the signs of byte b in slot 0. */
  private void embedding() {
    Matrix embedding = matrix("model.embed_tokens.weight", VOCAB, HIDDEN);
    for (int value = 0; value < VOCAB; value++) {
      embedding.set(value, CONSTANT, CONSTANT_VALUE);
      for (int sign = 0; sign < ByteCode.DIM; sign++) {
        embedding.set(value, slot(0, sign), ByteCode.sign(value, sign));
      }
    }
  }

  /** Head h brings the byte h + 1 tokens back into slot h + 1. */
  private void firstLayer() {
    Layer layer = layer(0, 1);
    distances(layer);
    for (int sign = 0; sign < ByteCode.DIM; sign++) {
      for (int kvHead = 0; kvHead < KV_HEADS; kvHead++) {
        layer.value.set(kvHead * HEAD_DIM + sign, slot(0, sign), 1);
      }
      for (int head = 0; head < HEADS; head++) {
        if (head + 1 <= WHOLE || sign == ByteCode.PARITY) {
          layer.output.set(slot(head + 1, sign), head * HEAD_DIM + sign, 1);
        }
      }
    }
  }

  /** Makes head h attend to the token h + 1 back. */
  private static void distances(Layer layer) {
    for (int pair = 0; pair < DISTANCE_PAIRS; pair++) {
      for (int kvHead = 0; kvHead < KV_HEADS; kvHead++) {
        layer.key.set(kvHead * HEAD_DIM + pair, CONSTANT, 1);
      }
      for (int head = 0; head < HEADS; head++) {
        double angle = (head + 1) * frequency(pair);
        int row = head * HEAD_DIM + pair;
        layer.query.set(row, CONSTANT, SCALE * DISTANCE_SCORE * Math.cos(angle));
        layer.query.set(row + PAIRS, CONSTANT, -SCALE * DISTANCE_SCORE * Math.sin(angle));
      }
    }
  }

  /**
   * Head 0, with KV head 0, attends to the latest token whose preceding bytes are those of the
   * context, and copies its byte to the output. The other heads have zero weights.
   */
  private void secondLayer() {
    Layer layer = layer(1, MATCH + 1);
    layer.key.set(RECENCY_PAIR, CONSTANT, 1);
    layer.query.set(RECENCY_PAIR + PAIRS, CONSTANT, SCALE * RECENCY_SCORE);
    for (int back = 1; back <= WHOLE; back++) {
      for (int sign = 0; sign < ByteCode.DIM; sign++) {
        match(layer, signDim(back, sign), back, sign, signScore(back));
      }
    }
    for (int back = WHOLE + 1; back <= MATCH; back++) {
      match(layer, parityDim(back), back, ByteCode.PARITY, PARITY_SCORE);
    }
    for (int sign = 0; sign < ByteCode.DIM; sign++) {
      layer.value.set(sign, slot(0, sign), 1);
      layer.output.set(OUT + sign, sign, 1);
    }
  }

  /** The byte {@code back} before the key's own is compared with the query's {@code back - 1} back. */
  private static void match(Layer layer, int dim, int back, int sign, double score) {
    layer.key.set(dim, slot(back, sign), KEY_SIGN);
    layer.query.set(dim, slot(back - 1, sign), SCALE * score / KEY_SIGN);
  }

  private void output() {
    norm("model.norm.weight", meanSquare(MATCH + 1, true));
    Matrix head = matrix("lm_head.weight", VOCAB, HIDDEN);
    for (int value = 0; value < VOCAB; value++) {
      for (int sign = 0; sign < ByteCode.DIM; sign++) {
        head.set(value, OUT + sign, LOGIT * ByteCode.sign(value, sign));
      }
    }
  }

  private Layer layer(int index, int filledSlots) {
    String name = "model.layers." + index + ".";
    norm(name + "input_layernorm.weight", meanSquare(filledSlots, false));
    Layer layer =
        new Layer(
            matrix(name + "self_attn.q_proj.weight", QUERY_DIM, HIDDEN),
            matrix(name + "self_attn.k_proj.weight", KV_DIM, HIDDEN),
            matrix(name + "self_attn.v_proj.weight", KV_DIM, HIDDEN),
            matrix(name + "self_attn.o_proj.weight", HIDDEN, QUERY_DIM));
    norm(name + "post_attention_layernorm.weight", 1);
    matrix(name + "mlp.gate_proj.weight", INTERMEDIATE, HIDDEN);
    matrix(name + "mlp.up_proj.weight", INTERMEDIATE, HIDDEN);
    matrix(name + "mlp.down_proj.weight", HIDDEN, INTERMEDIATE);
    return layer;
  }

  private void norm(String name, double meanSquare) {
    double rms = Math.sqrt(meanSquare + RMS_NORM_EPS);
    float[] weights = new float[HIDDEN];
    Arrays.fill(weights, (float) rms);
    weights[CONSTANT] = (float) (rms / CONSTANT_VALUE);
    tensors.put(TensorSpec.of(name, TensorType.F32, HIDDEN), weights);
  }

  private Matrix matrix(String name, int rows, int columns) {
    float[] values = new float[rows * columns];
    tensors.put(TensorSpec.of(name, TensorType.F32, rows, columns), values);
    return new Matrix(values, columns);
  }

  private record Layer(Matrix query, Matrix key, Matrix value, Matrix output) {}

  /** A matrix {@code [rows][columns]} under construction. */
  private record Matrix(float[] values, int columns) {
    void set(int row, int column, double value) {
      values[row * columns + column] = (float) value;
    }
  }
}
