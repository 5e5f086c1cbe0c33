package io.gatun.tools.model;

import io.gatun.cache.GatunException;
import io.gatun.tools.config.ModelConfig;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Compares the tensors of a checkpoint with those that the model uses. A weight of one of the
 * model's own layers that is not used means that config.json describes another model: that is
 * refused. Other tensors are named, apart from companions that mean nothing to the result.
 */
final class TensorCheck {
  private static final String EMBEDDING = "model.embed_tokens.weight";
  private static final String OUTPUT = "lm_head.weight";
  private static final Pattern ENDS =
      Pattern.compile("(lm_head|model\\.norm|model\\.embed_tokens)\\..*");
  private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.*)");

  /** Tables that other programs compute themselves and keep with the weights. */
  private static final Pattern COMPANION =
      Pattern.compile(
          ".*(rotary_emb|rope)\\.(inv_freq|original_inv_freq|cos_cached|sin_cached)"
              + "|.*\\.(masked_bias|attn_mask|causal_mask|position_ids)");

  /** Parts of a layer that predicts further tokens (DeepSeek-V3), behind those of the model. */
  private static final Pattern PREDICTOR =
      Pattern.compile("model\\.layers\\.(\\d+)\\.(eh_proj|enorm|hnorm|shared_head)\\..*");

  /** Names in a message, at most. */
  private static final int NAMED = 5;

  private final Checkpoint checkpoint;
  private final ModelConfig config;
  private final Weights weights;

  TensorCheck(Checkpoint checkpoint, ModelConfig config, Weights weights) {
    this.checkpoint = checkpoint;
    this.config = config;
    this.weights = weights;
  }

  /**
   * What is to be said to the user; none if every tensor is used or known.
   *
   * @throws GatunException if tensors and config.json contradict each other
   */
  List<String> remarks() {
    List<String> unused = new ArrayList<>();
    for (Tensor tensor : checkpoint.tensors().values()) {
      String name = tensor.name();
      if (weights.names().contains(name) || COMPANION.matcher(name).matches()) {
        continue;
      }
      if (name.equals(OUTPUT) && config.tiedEmbeddings()) {
        refuseAnotherOutput(tensor);
        continue;
      }
      if (ENDS.matcher(name).matches() && tensor.type().isWeight()) {
        throw foreign(tensor);
      }
      Matcher layer = LAYER.matcher(name);
      if (layer.matches()) {
        refuseOfLayer(tensor, Integer.parseInt(layer.group(1)), layer.group(2));
        if (isPredictor(layer.group(1))) {
          continue;
        }
      }
      unused.add(name);
    }
    if (unused.isEmpty()) {
      return List.of();
    }
    String more = unused.size() > NAMED ? " and %,d others".formatted(unused.size() - NAMED) : "";
    return List.of(
        "%s: the model does not use %s%s"
            .formatted(
                checkpoint.folder(),
                String.join(", ", unused.subList(0, Math.min(NAMED, unused.size()))),
                more));
  }

  private boolean isPredictor(String layer) {
    return Integer.parseInt(layer) >= config.layers()
        && checkpoint.tensors().keySet().stream()
            .map(PREDICTOR::matcher)
            .anyMatch(name -> name.matches() && name.group(1).equals(layer));
  }

  private void refuseOfLayer(Tensor tensor, int layer, String part) {
    if (layer >= config.layers()) {
      if (!isPredictor(Integer.toString(layer))) {
        throw new GatunException(
            "config.json says that the model has %d layers, and %s holds %s of another one; the files are not of one model"
                .formatted(config.layers(), tensor.file(), tensor.name()));
      }
      return;
    }
    // Scales of caches and the like are no weights, whatever they are.
    if (tensor.type().isWeight() && !part.matches(".*(scale|zero_point|amax).*")) {
      throw foreign(tensor);
    }
  }

  private GatunException foreign(Tensor tensor) {
    boolean ofLayer = tensor.name().endsWith("bias") && LAYER.matcher(tensor.name()).matches();
    String why =
        ofLayer
            ? "config.json says that there is no such bias (attention_bias or mlp_bias is false"
                + " or not given)"
            : "a model of type %s has no such weight".formatted(config.modelType());
    return new GatunException(
        "%s holds %s, and %s; the files are not of one model, or config.json is wrong"
            .formatted(tensor.file(), tensor.name(), why));
  }

  /** An output layer beside tied embeddings must be the embeddings. */
  private void refuseAnotherOutput(Tensor output) {
    Tensor embedding = checkpoint.tensors().get(EMBEDDING);
    if (output.type() == embedding.type()
        && output.spec().shape().equals(embedding.spec().shape())) {
      long at = output.data().mismatch(embedding.data());
      if (at < 0) {
        return;
      }
      int width = output.type().bytes();
      long element = at / width;
      throw new GatunException(
          "config.json says tie_word_embeddings true, and element %d of %s is %s where %s has %s; set it to false if the output layer is one of its own"
              .formatted(
                  element,
                  OUTPUT,
                  output.type().value(output.data(), element * width),
                  EMBEDDING,
                  embedding.type().value(embedding.data(), element * width)));
    }
    throw new GatunException(
        "config.json says tie_word_embeddings true, and %s is %s %s where %s is %s %s; set it to false if the output layer is one of its own"
            .formatted(
                OUTPUT,
                output.type(),
                output.spec().shape(),
                EMBEDDING,
                embedding.type(),
                embedding.spec().shape()));
  }
}
