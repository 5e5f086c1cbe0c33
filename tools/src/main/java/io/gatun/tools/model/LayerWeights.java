package io.gatun.tools.model;

import io.gatun.tools.config.AttentionForm;
import io.gatun.tools.config.AttentionForm.HeadNorm;
import io.gatun.tools.config.FeedForward;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.config.ResidualStream.NormPlaces;
import io.gatun.tools.matrix.Matrix;
import io.gatun.tools.matrix.PackedExperts;
import io.gatun.tools.model.AttentionWeights.OfHeads;
import io.gatun.tools.model.AttentionWeights.OfLatent;
import io.gatun.tools.model.FeedWeights.Gated;
import io.gatun.tools.model.FeedWeights.Mixture;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The weights of one layer. Norms that the model does not have are null.
 *
 * @param beforeAttention gain {@code [hidden]} of what attention reads
 * @param behindAttention gain {@code [hidden]} of what attention gives
 * @param beforeFeed gain {@code [hidden]} of what the MLP reads
 * @param behindFeed gain {@code [hidden]} of what the MLP gives
 */
record LayerWeights(
    MemorySegment beforeAttention,
    AttentionWeights attention,
    MemorySegment behindAttention,
    MemorySegment beforeFeed,
    FeedWeights feed,
    MemorySegment behindFeed) {
  LayerWeights inForm(UnaryOperator<Matrix> form) {
    return new LayerWeights(
        beforeAttention,
        attention.inForm(form),
        behindAttention,
        beforeFeed,
        feed.inForm(form),
        behindFeed);
  }

  /** Asks a source for the tensors of layer {@code index}, in an order fit for writing. */
  static LayerWeights of(TensorSource source, ModelConfig config, int index) {
    String prefix = "model.layers." + index + ".";
    NormPlaces places = config.stream().norms();
    boolean before = places != NormPlaces.BEHIND;
    boolean behind = places != NormPlaces.BEFORE;
    // What stands behind attention in a Llama stands before the MLP there: the name is older than
    // norms of the other kind.
    String beforeFeed =
        places == NormPlaces.AROUND ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    return new LayerWeights(
        gain(source, config, before, prefix + "input_layernorm"),
        attention(source, config, prefix + "self_attn."),
        gain(source, config, behind, prefix + "post_attention_layernorm"),
        gain(source, config, before, prefix + beforeFeed),
        feed(source, config, index, prefix + "mlp."),
        gain(source, config, behind, prefix + "post_feedforward_layernorm"));
  }

  private static MemorySegment gain(
      TensorSource source, ModelConfig config, boolean present, String name) {
    return gain(config, source.vector(present, name + ".weight", config.hiddenSize()));
  }

  /** The factor of a norm: its weight, or one plus it. */
  static MemorySegment gain(ModelConfig config, MemorySegment weight) {
    if (weight != null && config.stream().onePlusGain()) {
      for (long at = 0; at < weight.byteSize(); at += 4) {
        float factor = 1 + weight.get(ValueLayout.JAVA_FLOAT, at);
        weight.set(ValueLayout.JAVA_FLOAT, at, factor);
      }
    }
    return weight;
  }

  private static AttentionWeights attention(
      TensorSource source, ModelConfig config, String prefix) {
    return switch (config.attention()) {
      case AttentionForm.Heads heads -> ofHeads(source, config, heads, prefix);
      case AttentionForm.Latent latent -> ofLatent(source, config, latent, prefix);
    };
  }

  private static OfHeads ofHeads(
      TensorSource source, ModelConfig config, AttentionForm.Heads heads, String prefix) {
    int hidden = config.hiddenSize();
    int queryDim = heads.queryDim();
    int kvDim = heads.kvDim();
    Linear query;
    Linear key;
    Linear value;
    if (heads.fused()) {
      Matrix all = source.matrix(prefix + "qkv_proj.weight", queryDim + 2L * kvDim, hidden);
      query = new Linear(rows(all, 0, queryDim), null);
      key = new Linear(rows(all, queryDim, kvDim), null);
      value = new Linear(rows(all, queryDim + kvDim, kvDim), null);
    } else {
      query = source.linear(prefix + "q_proj", queryDim, hidden, heads.qkvBias());
      key = source.linear(prefix + "k_proj", kvDim, hidden, heads.qkvBias());
      value = source.linear(prefix + "v_proj", kvDim, hidden, heads.qkvBias());
    }
    boolean whole = heads.norm() == HeadNorm.WHOLE;
    boolean normed = heads.norm() != HeadNorm.NONE;
    return new OfHeads(
        query,
        key,
        value,
        source.linear(prefix + "o_proj", hidden, queryDim, heads.outputBias()),
        gain(
            config,
            source.vector(normed, prefix + "q_norm.weight", whole ? queryDim : heads.headDim())),
        gain(
            config,
            source.vector(normed, prefix + "k_norm.weight", whole ? kvDim : heads.headDim())),
        source.vector(heads.sinks(), prefix + "sinks", heads.numHeads()));
  }

  private static OfLatent ofLatent(
      TensorSource source, ModelConfig config, AttentionForm.Latent form, String prefix) {
    int hidden = config.hiddenSize();
    int rank = form.queryRank();
    boolean compressed = rank > 0;
    return new OfLatent(
        compressed ? source.linear(prefix + "q_a_proj", rank, hidden, form.bias()) : null,
        source.vector(compressed, prefix + "q_a_layernorm.weight", rank),
        compressed
            ? source.linear(prefix + "q_b_proj", form.queryDim(), rank, false)
            : source.linear(prefix + "q_proj", form.queryDim(), hidden, false),
        source.linear(
            prefix + "kv_a_proj_with_mqa", form.latentDim() + form.ropeDim(), hidden, form.bias()),
        source.vector(true, prefix + "kv_a_layernorm.weight", form.latentDim()),
        source.decoded(prefix + "kv_b_proj.weight", form.upDim(), form.latentDim()),
        source.linear(prefix + "o_proj", hidden, form.outputDim(), form.bias()));
  }

  private static FeedWeights feed(
      TensorSource source, ModelConfig config, int index, String prefix) {
    int hidden = config.hiddenSize();
    return switch (config.layerForms().get(index).feedForward()) {
      case FeedForward.Dense dense when dense.fused() -> {
        int inner = dense.intermediate();
        Matrix both = source.matrix(prefix + "gate_up_proj.weight", 2L * inner, hidden);
        yield new Gated(
            new Linear(rows(both, 0, inner), null),
            new Linear(rows(both, inner, inner), null),
            source.linear(prefix + "down_proj", hidden, inner, false));
      }
      case FeedForward.Dense dense ->
          gated(source, prefix, hidden, dense.intermediate(), dense.bias());
      case FeedForward.Experts experts -> mixture(source, experts, hidden, prefix);
    };
  }

  private static Gated gated(
      TensorSource source, String prefix, int hidden, int inner, boolean bias) {
    return new Gated(
        source.linear(prefix + "gate_proj", inner, hidden, bias),
        source.linear(prefix + "up_proj", inner, hidden, bias),
        source.linear(prefix + "down_proj", hidden, inner, bias));
  }

  private static Mixture mixture(
      TensorSource source, FeedForward.Experts form, int hidden, String prefix) {
    boolean packed = form.tensors() == FeedForward.ExpertTensors.PACKED;
    FeedForward.Router router = form.router();
    String routerName = prefix + (packed ? "router" : "gate");
    Linear scores = source.linear(routerName, form.count(), hidden, router.bias());
    MemorySegment correction =
        source.vector(router.correction(), routerName + ".e_score_correction_bias", form.count());
    List<Gated> experts = new ArrayList<>();
    PackedExperts all = null;
    if (packed) {
      all = packed(source, form, hidden, prefix + "experts.");
    } else {
      for (int expert = 0; expert < form.count(); expert++) {
        String name = prefix + "experts." + expert + ".";
        experts.add(gated(source, name, hidden, form.intermediate(), false));
      }
    }
    Gated shared =
        form.sharedIntermediate() == 0
            ? null
            : gated(source, prefix + "shared_experts.", hidden, form.sharedIntermediate(), false);
    return new Mixture(router.chosen(), scores, correction, List.copyOf(experts), all, shared);
  }

  private static PackedExperts packed(
      TensorSource source, FeedForward.Experts form, int hidden, String prefix) {
    int count = form.count();
    int inner = form.intermediate();
    var gateUp = source.tensor(prefix + "gate_up_proj", count, hidden, 2L * inner);
    MemorySegment gateUpBias = source.decoded(prefix + "gate_up_proj_bias", count, 2 * inner);
    var down = source.tensor(prefix + "down_proj", count, inner, hidden);
    MemorySegment downBias = source.decoded(prefix + "down_proj_bias", count, hidden);
    return gateUp == null
        ? null
        : new PackedExperts(count, hidden, inner, gateUp, gateUpBias, down, downBias);
  }

  /** Rows of a matrix as one of their own; null if there is none. */
  private static Matrix rows(Matrix all, long from, long count) {
    if (all == null) {
      return null;
    }
    long rowBytes = all.type().rowBytes(all.cols());
    return new Matrix(
        "%s[%d:%d]".formatted(all.name(), from, from + count),
        all.type(),
        count,
        all.cols(),
        all.data().asSlice(from * rowBytes, count * rowBytes));
  }
}
