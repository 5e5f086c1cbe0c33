package io.gatun.tools.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/**
 * The oracle for published architectures: a whole forward pass in double, as plainly as it can be
 * written, from the papers and the model cards' formulas. It has no cache and no batch, makes every
 * key and value of latent attention, computes every expert by itself, and shares no code with the
 * runner.
 */
final class PublishedReference {
  private final JsonNode config;
  private final Map<String, double[]> tensors;
  private final String type;
  private final int hidden;
  private final int heads;
  private final int kvHeads;
  private final int dim;

  PublishedReference(Path folder) throws IOException {
    config = new ObjectMapper().readTree(folder.resolve("config.json").toFile());
    tensors = ReferenceModel.tensors(folder);
    type = config.get("model_type").asText();
    hidden = config.get("hidden_size").asInt();
    heads = config.get("num_attention_heads").asInt();
    kvHeads = config.path("num_key_value_heads").asInt(heads);
    dim = config.path("head_dim").asInt(hidden / heads);
  }

  private boolean is(String... types) {
    return Arrays.asList(types).contains(type);
  }

  /** Logits [token][vocab]. */
  double[][] logits(int[] tokens) {
    int n = tokens.length;
    double[] table = tensors.get("model.embed_tokens.weight");
    double factor =
        type.startsWith("gemma")
            ? Math.sqrt(hidden)
            : config.path("embedding_multiplier").asDouble(1);
    double[][] x = new double[n][hidden];
    for (int t = 0; t < n; t++) {
      for (int i = 0; i < hidden; i++) {
        x[t][i] = table[tokens[t] * hidden + i] * factor;
      }
    }
    for (int layer = 0; layer < config.get("num_hidden_layers").asInt(); layer++) {
      layer(layer, x);
    }
    double[][] logits = new double[n][];
    boolean tied =
        config.path("tie_word_embeddings").asBoolean(type.startsWith("gemma") || is("smollm3"));
    double divisor = config.path("logits_scaling").asDouble(1);
    double cap = config.path("final_logit_softcapping").asDouble(0);
    int vocab = config.get("vocab_size").asInt();
    for (int t = 0; t < n; t++) {
      double[] y = norm(x[t], "model.norm.weight", eps());
      logits[t] = affine(tied ? "model.embed_tokens" : "lm_head", y, vocab);
      for (int i = 0; i < vocab; i++) {
        logits[t][i] /= divisor;
        if (cap != 0) {
          logits[t][i] = cap * Math.tanh(logits[t][i] / cap);
        }
      }
    }
    return logits;
  }

  private void layer(int layer, double[][] x) {
    int n = x.length;
    String p = "model.layers." + layer + ".";
    double multiplier = config.path("residual_multiplier").asDouble(1);
    boolean post = is("olmo2");
    boolean both = type.startsWith("gemma");
    double[][] y = new double[n][];
    for (int t = 0; t < n; t++) {
      y[t] = post ? x[t] : norm(x[t], p + "input_layernorm.weight", eps());
    }
    double[][] a = type.startsWith("deepseek") ? latent(p, y) : attention(layer, p, y);
    for (int t = 0; t < n; t++) {
      if (post || both) {
        a[t] = norm(a[t], p + "post_attention_layernorm.weight", eps());
      }
      add(x[t], a[t], multiplier);
      double[] z =
          post
              ? x[t]
              : norm(
                  x[t],
                  p + (both ? "pre_feedforward_layernorm" : "post_attention_layernorm") + ".weight",
                  eps());
      double[] f = feed(layer, p + "mlp.", z);
      if (post || both) {
        f = norm(f, p + "post_feedforward_layernorm.weight", eps());
      }
      add(x[t], f, multiplier);
    }
  }

  private double[][] attention(int layer, String p, double[][] y) {
    int n = y.length;
    boolean sliding = isSliding(layer);
    int window = sliding ? config.get("sliding_window").asInt() : Integer.MAX_VALUE;
    ReferenceRope rope = rope(layer, sliding, n);
    double[][] q = new double[n][];
    double[][] k = new double[n][];
    double[][] v = new double[n][];
    for (int t = 0; t < n; t++) {
      if (is("phi3")) {
        double[] all = affine(p + "self_attn.qkv_proj", y[t], (heads + 2 * kvHeads) * dim);
        q[t] = Arrays.copyOf(all, heads * dim);
        k[t] = Arrays.copyOfRange(all, heads * dim, (heads + kvHeads) * dim);
        v[t] = Arrays.copyOfRange(all, (heads + kvHeads) * dim, all.length);
      } else {
        q[t] = affine(p + "self_attn.q_proj", y[t], heads * dim);
        k[t] = affine(p + "self_attn.k_proj", y[t], kvHeads * dim);
        v[t] = affine(p + "self_attn.v_proj", y[t], kvHeads * dim);
      }
      if (is("olmo2")) {
        q[t] = norm(q[t], p + "self_attn.q_norm.weight", eps());
        k[t] = norm(k[t], p + "self_attn.k_norm.weight", eps());
      } else if (is("gemma3_text", "qwen3_moe")) {
        normHeads(q[t], p + "self_attn.q_norm.weight");
        normHeads(k[t], p + "self_attn.k_norm.weight");
      }
      for (int h = 0; h < heads && rope != null; h++) {
        rope.turn(q[t], h * dim, t, false);
      }
      for (int h = 0; h < kvHeads && rope != null; h++) {
        rope.turn(k[t], h * dim, t, false);
      }
    }
    double scale = 1 / Math.sqrt(dim);
    if (type.startsWith("gemma")) {
      scale = 1 / Math.sqrt(config.path("query_pre_attn_scalar").asDouble(256));
    } else if (is("granite")) {
      scale = config.path("attention_multiplier").asDouble(1);
    }
    double cap = config.path("attn_logit_softcapping").asDouble(0);
    double[] sinks = tensors.get(p + "self_attn.sinks");
    double[][] out = new double[n][];
    for (int t = 0; t < n; t++) {
      double[] mixed = new double[heads * dim];
      for (int h = 0; h < heads; h++) {
        int g = h / (heads / kvHeads);
        double[] score = new double[t + 1];
        for (int s = 0; s <= t; s++) {
          for (int i = 0; i < dim; i++) {
            score[s] += scale * q[t][h * dim + i] * k[s][g * dim + i];
          }
          if (cap != 0) {
            score[s] = cap * Math.tanh(score[s] / cap);
          }
          if (t - s >= window) {
            score[s] = Double.NEGATIVE_INFINITY;
          }
        }
        double[] share = softmax(score, sinks == null ? Double.NEGATIVE_INFINITY : sinks[h]);
        for (int s = 0; s <= t; s++) {
          for (int i = 0; i < dim; i++) {
            mixed[h * dim + i] += share[s] * v[s][g * dim + i];
          }
        }
      }
      out[t] = affine(p + "self_attn.o_proj", mixed, hidden);
    }
    return out;
  }

  /** Softmax with one more score that takes its share and is left out. */
  private static double[] softmax(double[] score, double sink) {
    double max = sink;
    for (double s : score) {
      max = Math.max(max, s);
    }
    double sum = Math.exp(sink - max);
    double[] share = new double[score.length];
    for (int s = 0; s < score.length; s++) {
      share[s] = Math.exp(score[s] - max);
      sum += share[s];
    }
    for (int s = 0; s < score.length; s++) {
      share[s] /= sum;
    }
    return share;
  }

  private boolean isSliding(int layer) {
    if (config.path("layer_types").isArray()) {
      return config.get("layer_types").get(layer).asText().equals("sliding_attention");
    }
    return switch (type) {
      case "gemma2", "gpt_oss" -> layer % 2 == 0;
      case "gemma3_text" -> (layer + 1) % config.path("sliding_window_pattern").asInt(6) != 0;
      case "phi3" -> config.path("sliding_window").isNumber();
      case "qwen3_moe" -> config.path("use_sliding_window").asBoolean(false);
      default -> false;
    };
  }

  private ReferenceRope rope(int layer, boolean sliding, int length) {
    if (is("smollm3")) {
      boolean turns =
          config.has("no_rope_layers")
              ? config.get("no_rope_layers").get(layer).asInt() == 1
              : (layer + 1) % 4 != 0;
      if (!turns) {
        return null;
      }
    }
    JsonNode section =
        config.has("rope_parameters") ? config.get("rope_parameters") : config.path("rope_scaling");
    if (is("gemma3_text")) {
      if (config.has("rope_parameters")) {
        section = section.get(sliding ? "sliding_attention" : "full_attention");
        return new ReferenceRope(
            config, section, dim, section.get("rope_theta").asDouble(), length);
      }
      return sliding
          ? new ReferenceRope(
              config,
              config.path("none"),
              dim,
              config.path("rope_local_base_freq").asDouble(1e4),
              length)
          : new ReferenceRope(
              config, section, dim, config.path("rope_theta").asDouble(1e6), length);
    }
    double usual = is("gpt_oss") ? 150_000 : is("smollm3") ? 2e6 : 1e4;
    double theta = section.path("rope_theta").asDouble(config.path("rope_theta").asDouble(usual));
    double share =
        section
            .path("partial_rotary_factor")
            .asDouble(config.path("partial_rotary_factor").asDouble(1));
    return new ReferenceRope(config, section, (int) (dim * share), theta, length);
  }

  /** DeepSeek-V2, section 2.1, with every head's keys and values made. */
  private double[][] latent(String p, double[][] y) {
    int n = y.length;
    int rank = config.get("kv_lora_rank").asInt();
    int nope = config.get("qk_nope_head_dim").asInt();
    int rot = config.get("qk_rope_head_dim").asInt();
    int value = config.get("v_head_dim").asInt();
    JsonNode scaling = config.path("rope_scaling");
    boolean neighbours = config.path("rope_interleave").asBoolean(true);
    ReferenceRope rope =
        new ReferenceRope(config, scaling, rot, config.path("rope_theta").asDouble(1e4), n);
    double scale = 1 / Math.sqrt(nope + rot);
    double all = scaling.path("mscale_all_dim").asDouble(0);
    if (all != 0) {
      scale *= Math.pow(ReferenceRope.mscale(scaling.get("factor").asDouble(), all), 2);
    }
    double[][] q = new double[n][];
    double[][] k = new double[n][heads * (nope + rot)];
    double[][] v = new double[n][heads * value];
    for (int t = 0; t < n; t++) {
      if (config.path("q_lora_rank").isNumber()) {
        double[] low = affine(p + "self_attn.q_a_proj", y[t], config.get("q_lora_rank").asInt());
        low = norm(low, p + "self_attn.q_a_layernorm.weight", 1e-6);
        q[t] = affine(p + "self_attn.q_b_proj", low, heads * (nope + rot));
      } else {
        q[t] = affine(p + "self_attn.q_proj", y[t], heads * (nope + rot));
      }
      double[] both = affine(p + "self_attn.kv_a_proj_with_mqa", y[t], rank + rot);
      double[] c = norm(Arrays.copyOf(both, rank), p + "self_attn.kv_a_layernorm.weight", 1e-6);
      double[] kr = Arrays.copyOfRange(both, rank, rank + rot);
      rope.turn(kr, 0, t, neighbours);
      double[] kv = affine(p + "self_attn.kv_b_proj", c, heads * (nope + value));
      for (int h = 0; h < heads; h++) {
        rope.turn(q[t], h * (nope + rot) + nope, t, neighbours);
        System.arraycopy(kv, h * (nope + value), k[t], h * (nope + rot), nope);
        System.arraycopy(kr, 0, k[t], h * (nope + rot) + nope, rot);
        System.arraycopy(kv, h * (nope + value) + nope, v[t], h * value, value);
      }
    }
    double[][] out = new double[n][];
    for (int t = 0; t < n; t++) {
      double[] mixed = new double[heads * value];
      for (int h = 0; h < heads; h++) {
        double[] score = new double[t + 1];
        for (int s = 0; s <= t; s++) {
          for (int i = 0; i < nope + rot; i++) {
            score[s] += scale * q[t][h * (nope + rot) + i] * k[s][h * (nope + rot) + i];
          }
        }
        double[] share = softmax(score, Double.NEGATIVE_INFINITY);
        for (int s = 0; s <= t; s++) {
          for (int i = 0; i < value; i++) {
            mixed[h * value + i] += share[s] * v[s][h * value + i];
          }
        }
      }
      out[t] = affine(p + "self_attn.o_proj", mixed, hidden);
    }
    return out;
  }

  private double[] feed(int layer, String p, double[] z) {
    if (is("gpt_oss")) {
      return packed(p, z);
    }
    boolean sparse =
        switch (type) {
          case "qwen3_moe" ->
              (layer + 1) % config.path("decoder_sparse_step").asInt(1) == 0
                  && !contains(config.path("mlp_only_layers"), layer);
          case "deepseek_v2", "deepseek_v3" -> layer >= config.get("first_k_dense_replace").asInt();
          default -> false;
        };
    return sparse ? experts(p, z) : gated(p, z, config.get("intermediate_size").asInt());
  }

  private static boolean contains(JsonNode list, int value) {
    for (JsonNode element : list) {
      if (element.asInt() == value) {
        return true;
      }
    }
    return false;
  }

  private double[] gated(String p, double[] z, int inner) {
    double[] gate;
    double[] up;
    if (is("phi3")) {
      double[] both = affine(p + "gate_up_proj", z, 2 * inner);
      gate = Arrays.copyOf(both, inner);
      up = Arrays.copyOfRange(both, inner, 2 * inner);
    } else {
      gate = affine(p + "gate_proj", z, inner);
      up = affine(p + "up_proj", z, inner);
    }
    DoubleUnaryOperator act =
        type.startsWith("gemma")
            ? g -> 0.5 * g * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (g + 0.044715 * g * g * g)))
            : g -> g / (1 + Math.exp(-g));
    for (int i = 0; i < inner; i++) {
      gate[i] = act.applyAsDouble(gate[i]) * up[i];
    }
    return affine(p + "down_proj", gate, hidden);
  }

  private double[] experts(String p, double[] z) {
    boolean qwen = is("qwen3_moe");
    boolean v3 = is("deepseek_v3");
    int count = config.get(qwen ? "num_experts" : "n_routed_experts").asInt();
    int chosen = config.get("num_experts_per_tok").asInt();
    double[] logit = affine(p + "gate", z, count);
    double[] weight = v3 ? new double[count] : softmax(logit, Double.NEGATIVE_INFINITY);
    double[] choice = new double[count];
    for (int e = 0; e < count; e++) {
      weight[e] = v3 ? 1 / (1 + Math.exp(-logit[e])) : weight[e];
      choice[e] = weight[e] + (v3 ? tensors.get(p + "gate.e_score_correction_bias")[e] : 0);
    }
    if (v3 || config.path("topk_method").asText().equals("group_limited_greedy")) {
      dropGroups(choice, v3 ? 2 : 1);
    }
    double[] out = new double[hidden];
    double sum = 0;
    boolean[] taken = top(choice, chosen);
    for (int e = 0; e < count; e++) {
      sum += taken[e] ? weight[e] : 0;
    }
    double divisor = config.path("norm_topk_prob").asBoolean(false) ? sum : 1;
    double scaling = config.path("routed_scaling_factor").asDouble(1);
    int inner = config.get("moe_intermediate_size").asInt();
    for (int e = 0; e < count; e++) {
      if (taken[e]) {
        add(out, gated(p + "experts." + e + ".", z, inner), weight[e] / divisor * scaling);
      }
    }
    int shared = config.path("n_shared_experts").asInt(0);
    if (shared > 0) {
      add(out, gated(p + "shared_experts.", z, inner * shared), 1);
    }
    return out;
  }

  /** Leaves the best groups by the sum of their {@code best} best experts. */
  private void dropGroups(double[] choice, int best) {
    int groups = config.get("n_group").asInt();
    int size = choice.length / groups;
    double[] score = new double[groups];
    for (int g = 0; g < groups; g++) {
      double[] own = Arrays.copyOfRange(choice, g * size, (g + 1) * size);
      Arrays.sort(own);
      for (int i = 0; i < best; i++) {
        score[g] += own[size - 1 - i];
      }
    }
    boolean[] kept = top(score, config.get("topk_group").asInt());
    for (int e = 0; e < choice.length; e++) {
      choice[e] = kept[e / size] ? choice[e] : Double.NEGATIVE_INFINITY;
    }
  }

  private static boolean[] top(double[] values, int count) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    boolean[] taken = new boolean[values.length];
    for (int i = 0; i < values.length; i++) {
      taken[i] = values[i] >= sorted[values.length - count];
    }
    return taken;
  }

  /** gpt-oss: weights with inputs outermost, gate and up in turns, biases everywhere. */
  private double[] packed(String p, double[] z) {
    int count = config.get("num_local_experts").asInt();
    int inner = config.get("intermediate_size").asInt();
    double[] logit = affine(p + "router", z, count);
    boolean[] taken = top(logit, config.get("num_experts_per_tok").asInt());
    double[] share = new double[count];
    for (int e = 0; e < count; e++) {
      share[e] = taken[e] ? logit[e] : Double.NEGATIVE_INFINITY;
    }
    share = softmax(share, Double.NEGATIVE_INFINITY);
    double[] out = new double[hidden];
    for (int e = 0; e < count; e++) {
      if (!taken[e]) {
        continue;
      }
      double[] both = inputMajor(p + "experts.gate_up_proj", e, z, 2 * inner);
      double[] h = new double[inner];
      for (int i = 0; i < inner; i++) {
        double gate = Math.min(both[2 * i], 7);
        double up = Math.max(-7, Math.min(both[2 * i + 1], 7));
        h[i] = (up + 1) * gate / (1 + Math.exp(-1.702 * gate));
      }
      add(out, inputMajor(p + "experts.down_proj", e, h, hidden), share[e]);
    }
    return out;
  }

  private double[] inputMajor(String name, int expert, double[] x, int outputs) {
    double[] w = tensors.get(name);
    double[] bias = tensors.get(name + "_bias");
    double[] y = Arrays.copyOfRange(bias, expert * outputs, (expert + 1) * outputs);
    for (int i = 0; i < x.length; i++) {
      for (int o = 0; o < outputs; o++) {
        y[o] += x[i] * w[(expert * x.length + i) * outputs + o];
      }
    }
    return y;
  }

  private double eps() {
    return config.path("rms_norm_eps").asDouble(is("phi3", "olmo2", "gpt_oss") ? 1e-5 : 1e-6);
  }

  private double[] norm(double[] x, String gain, double eps) {
    double mean = 0;
    for (double value : x) {
      mean += value * value / x.length;
    }
    double[] g = tensors.get(gain);
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = x[i] / Math.sqrt(mean + eps) * (type.startsWith("gemma") ? 1 + g[i] : g[i]);
    }
    return y;
  }

  private void normHeads(double[] rows, String gain) {
    for (int at = 0; at < rows.length; at += dim) {
      double[] y = norm(Arrays.copyOfRange(rows, at, at + dim), gain, eps());
      System.arraycopy(y, 0, rows, at, dim);
    }
  }

  private double[] affine(String name, double[] x, int rows) {
    double[] w = tensors.get(name + ".weight");
    double[] bias = tensors.get(name + ".bias");
    double[] y = new double[rows];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < x.length; c++) {
        y[r] += w[r * x.length + c] * x[c];
      }
      y[r] += bias == null ? 0 : bias[r];
    }
    return y;
  }

  private static void add(double[] to, double[] what, double factor) {
    for (int i = 0; i < to.length; i++) {
      to[i] += factor * what[i];
    }
  }
}
