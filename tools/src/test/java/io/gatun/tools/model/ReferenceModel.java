package io.gatun.tools.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The oracle: a whole forward pass in double, written from the papers' formulas as plainly as they
 * can be written. It reads the files with its own few lines and shares no code with the runner; there
 * is no cache, no batch and no block, every token looks back over all tokens before it.
 */
public final class ReferenceModel {
  private final JsonNode config;
  private final Map<String, double[]> tensors = new HashMap<>();
  private final String type;
  private final int hidden;
  private final int heads;
  private final int kvHeads;
  private final int dim;

  /** Reads a folder. */
  public ReferenceModel(Path folder) throws IOException {
    config = new ObjectMapper().readTree(folder.resolve("config.json").toFile());
    type = config.get("model_type").asText();
    hidden = config.get("hidden_size").asInt();
    heads = config.get("num_attention_heads").asInt();
    kvHeads = config.get("num_key_value_heads").asInt();
    dim = config.has("head_dim") ? config.get("head_dim").asInt() : hidden / heads;
    tensors.putAll(tensors(folder));
  }

  /** All tensors of a folder, in double. */
  static Map<String, double[]> tensors(Path folder) throws IOException {
    Map<String, double[]> tensors = new HashMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
        read(file, tensors);
      }
    }
    return tensors;
  }

  private static void read(Path file, Map<String, double[]> tensors) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) bytes.getLong(0);
    byte[] json = new byte[header];
    bytes.get(8, json);
    for (Map.Entry<String, JsonNode> entry : new ObjectMapper().readTree(json).properties()) {
      if (entry.getKey().equals("__metadata__")) {
        continue;
      }
      String dtype = entry.getValue().get("dtype").asText();
      int begin = 8 + header + entry.getValue().get("data_offsets").get(0).asInt();
      int end = 8 + header + entry.getValue().get("data_offsets").get(1).asInt();
      int width = dtype.equals("F32") ? 4 : 2;
      double[] values = new double[(end - begin) / width];
      for (int i = 0; i < values.length; i++) {
        int at = begin + width * i;
        values[i] =
            switch (dtype) {
              case "F32" -> bytes.getFloat(at);
              case "F16" -> half(bytes.getShort(at) & 0xffff);
              case "BF16" -> Float.intBitsToFloat((bytes.getShort(at) & 0xffff) << 16);
              default -> throw new AssertionError(dtype);
            };
      }
      tensors.put(entry.getKey(), values);
    }
  }

  /** IEEE 754-2008, section 3.4: sign, 5 bits of exponent with bias 15, 10 of fraction. */
  private static double half(int bits) {
    int exponent = bits >> 10 & 31;
    int fraction = bits & 1023;
    double magnitude =
        exponent == 0
            ? fraction * Math.pow(2, -24)
            : (1 + fraction / 1024.0) * Math.pow(2, exponent - 15);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
  }

  /** Logits [token][vocab]. */
  public double[][] logits(int[] tokens) {
    int n = tokens.length;
    double[][] x = new double[n][hidden];
    for (int t = 0; t < n; t++) {
      System.arraycopy(
          tensors.get("model.embed_tokens.weight"), tokens[t] * hidden, x[t], 0, hidden);
    }
    for (int layer = 0; layer < config.get("num_hidden_layers").asInt(); layer++) {
      String p = "model.layers." + layer + ".";
      double[][] attended = attention(layer, p, x);
      for (int t = 0; t < n; t++) {
        add(x[t], affine(p + "self_attn.o_proj", attended[t], hidden));
        double[] y = rmsNorm(x[t], p + "post_attention_layernorm.weight");
        int inner = config.get("intermediate_size").asInt();
        double[] gate = affine(p + "mlp.gate_proj", y, inner);
        double[] up = affine(p + "mlp.up_proj", y, inner);
        for (int i = 0; i < inner; i++) {
          gate[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
        }
        add(x[t], affine(p + "mlp.down_proj", gate, hidden));
      }
    }
    int vocab = config.get("vocab_size").asInt();
    boolean tied = config.path("tie_word_embeddings").asBoolean(false);
    double[][] logits = new double[n][];
    for (int t = 0; t < n; t++) {
      logits[t] =
          affine(
              tied ? "model.embed_tokens" : "lm_head", rmsNorm(x[t], "model.norm.weight"), vocab);
    }
    return logits;
  }

  /** Vaswani et al. 2017, equation 1, per head; query head h uses KV head h / (heads / kvHeads). */
  private double[][] attention(int layer, String p, double[][] x) {
    int n = x.length;
    double[][] q = new double[n][];
    double[][] k = new double[n][];
    double[][] v = new double[n][];
    for (int t = 0; t < n; t++) {
      double[] y = rmsNorm(x[t], p + "input_layernorm.weight");
      q[t] = affine(p + "self_attn.q_proj", y, heads * dim);
      k[t] = affine(p + "self_attn.k_proj", y, kvHeads * dim);
      v[t] = affine(p + "self_attn.v_proj", y, kvHeads * dim);
      if (type.equals("qwen3")) {
        normHeads(q[t], heads, p + "self_attn.q_norm.weight");
        normHeads(k[t], kvHeads, p + "self_attn.k_norm.weight");
      }
      rotate(q[t], heads, t);
      rotate(k[t], kvHeads, t);
    }
    int window = window(layer);
    double[][] out = new double[n][heads * dim];
    for (int t = 0; t < n; t++) {
      for (int h = 0; h < heads; h++) {
        int kv = h / (heads / kvHeads);
        int first = window == 0 ? 0 : Math.max(0, t - window + 1);
        double[] score = new double[t + 1];
        double max = Double.NEGATIVE_INFINITY;
        for (int s = first; s <= t; s++) {
          for (int i = 0; i < dim; i++) {
            score[s] += q[t][h * dim + i] * k[s][kv * dim + i];
          }
          score[s] /= Math.sqrt(dim);
          max = Math.max(max, score[s]);
        }
        double sum = 0;
        for (int s = first; s <= t; s++) {
          score[s] = Math.exp(score[s] - max);
          sum += score[s];
        }
        for (int s = first; s <= t; s++) {
          for (int i = 0; i < dim; i++) {
            out[t][h * dim + i] += score[s] / sum * v[s][kv * dim + i];
          }
        }
      }
    }
    return out;
  }

  private int window(int layer) {
    boolean given = config.path("sliding_window").isNumber();
    int window = given ? config.get("sliding_window").asInt() : 0;
    return switch (type) {
      case "mistral" -> window;
      case "qwen2", "qwen3" -> {
        if (!config.path("use_sliding_window").asBoolean(false)) {
          yield 0;
        }
        yield config.has("layer_types")
            ? (config.get("layer_types").get(layer).asText().startsWith("sliding") ? window : 0)
            : (layer >= config.get("max_window_layers").asInt() ? window : 0);
      }
      default -> 0;
    };
  }

  private void normHeads(double[] rows, int count, String gain) {
    for (int h = 0; h < count; h++) {
      double[] row = java.util.Arrays.copyOfRange(rows, h * dim, (h + 1) * dim);
      System.arraycopy(rmsNorm(row, gain), 0, rows, h * dim, dim);
    }
  }

  /** Su et al. 2021, with the pairs (i, i + dim / 2). */
  private void rotate(double[] rows, int count, int position) {
    for (int h = 0; h < count; h++) {
      for (int i = 0; i < dim / 2; i++) {
        double angle = position * frequency(i);
        double a = rows[h * dim + i];
        double b = rows[h * dim + i + dim / 2];
        rows[h * dim + i] = a * Math.cos(angle) - b * Math.sin(angle);
        rows[h * dim + i + dim / 2] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
  }

  private double frequency(int i) {
    JsonNode newer = config.path("rope_parameters");
    JsonNode scaling = newer.isObject() ? newer : config.path("rope_scaling");
    double theta = (newer.isObject() ? newer : config).path("rope_theta").asDouble(10000);
    double frequency = 1 / Math.pow(theta, 2.0 * i / dim);
    if (!scaling.path("rope_type").asText(scaling.path("type").asText()).equals("llama3")) {
      return frequency;
    }
    // The rule of the Llama 3.1 model card's reference code, by wavelength.
    double factor = scaling.get("factor").asDouble();
    double low = scaling.get("low_freq_factor").asDouble();
    double high = scaling.get("high_freq_factor").asDouble();
    double context = scaling.get("original_max_position_embeddings").asDouble();
    double wavelength = 2 * Math.PI / frequency;
    if (wavelength < context / high) {
      return frequency;
    }
    if (wavelength > context / low) {
      return frequency / factor;
    }
    double smooth = (context / wavelength - low) / (high - low);
    return (1 - smooth) * frequency / factor + smooth * frequency;
  }

  private double[] rmsNorm(double[] x, String gain) {
    double eps = config.path("rms_norm_eps").asDouble(1e-6);
    double mean = 0;
    for (double value : x) {
      mean += value * value / x.length;
    }
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = x[i] / Math.sqrt(mean + eps) * tensors.get(gain)[i];
    }
    return y;
  }

  private double[] affine(String name, double[] x, int rows) {
    double[] weight = tensors.get(name + ".weight");
    double[] bias = tensors.get(name + ".bias");
    double[] y = new double[rows];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < x.length; c++) {
        y[r] += weight[r * x.length + c] * x[c];
      }
      y[r] += bias == null ? 0 : bias[r];
    }
    return y;
  }

  private static void add(double[] to, double[] what) {
    for (int i = 0; i < to.length; i++) {
      to[i] += what[i];
    }
  }
}
