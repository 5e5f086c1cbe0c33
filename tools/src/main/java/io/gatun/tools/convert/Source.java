package io.gatun.tools.convert;

import io.gatun.cache.GatunException;
import io.gatun.tools.config.Kept;
import io.gatun.tools.config.ModelCache;
import io.gatun.tools.config.ModelCacheReader;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.Tensor;
import io.gatun.tools.safetensors.TensorType;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A checkpoint whose KV heads can be pooled: which of its tensors are key and value projections was
 * found out and checked against its config.
 */
final class Source implements AutoCloseable {
  private static final Pattern KV_PROJECTION =
      Pattern.compile("(?:.*\\.)?layers\\.(\\d+)\\.self_attn\\.([kv])_proj\\.(weight|bias)");
  private static final Pattern KEY_NORM = Pattern.compile(".*\\.self_attn\\.k_norm\\.weight");

  /** Parts of a multimodal model whose attention is not the decoder's. */
  private static final Pattern OTHER_TOWER = Pattern.compile("(?i).*(vision|visual|audio).*");

  private static final Pattern FUSED =
      Pattern.compile(".*\\.(qkv_proj|query_key_value|c_attn|Wqkv|kv_a_proj_with_mqa)\\.weight");

  private final ModelCache cache;
  private final Checkpoint checkpoint;
  private final Set<String> pooled = new HashSet<>();

  /** The heads of every layer that has K/V; set once they are known to be alike. */
  private Kept.Heads heads;

  private Source(ModelCache cache, Checkpoint checkpoint) {
    this.cache = cache;
    this.checkpoint = checkpoint;
  }

  /**
   * Opens and checks a folder.
   *
   * @throws GatunException if it is not a checkpoint whose KV heads can be pooled; it says why
   */
  static Source open(Path folder) {
    Checkpoint checkpoint = Checkpoint.open(folder);
    try {
      Source source = new Source(ModelCacheReader.read(folder), checkpoint);
      source.findProjections();
      return source;
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  private void findProjections() {
    if (cache.all(Kept.Latent.class).findAny().isPresent()) {
      throw new GatunException(
          "%s has latent attention: it caches one row for all heads, there is nothing to pool"
              .formatted(checkpoint.folder()));
    }
    heads = cache.heads();
    TreeMap<Integer, Integer> weights = new TreeMap<>();
    for (Tensor tensor : checkpoint.tensors().values()) {
      Matcher name = KV_PROJECTION.matcher(tensor.name());
      if (tensor.type() == TensorType.OTHER) {
        throw new GatunException(
            "tensor %s in %s has a type that this version does not know, and cannot be carried over"
                .formatted(tensor.name(), tensor.file()));
      }
      if (OTHER_TOWER.matcher(tensor.name()).matches()) {
        continue;
      }
      if (name.matches()) {
        check(tensor, name.group(2).equals("k") ? heads.keyDim() : heads.valueDim());
        pooled.add(tensor.name());
        if (name.group(3).equals("weight")) {
          weights.merge(Integer.parseInt(name.group(1)), 1, Integer::sum);
        }
      } else if (KEY_NORM.matcher(tensor.name()).matches()
          && !tensor.spec().shape().equals(java.util.List.of((long) heads.keyDim()))) {
        throw new GatunException(
            "tensor %s has shape %s: the keys of all heads are normalised together, and pooled heads"
                    .formatted(tensor.name(), tensor.spec().shape())
                + " would not mean the same; only norms per head ([%d]) can be carried over"
                    .formatted(heads.keyDim()));
      }
    }
    if (weights.isEmpty()) {
      throw noProjections();
    }
    for (int layer = 0; layer < cache.layers().size(); layer++) {
      boolean holdsKv = cache.layers().get(layer).hasRows();
      if (holdsKv && weights.getOrDefault(layer, 0) != 2) {
        throw new GatunException(
            "%s: layer %d of %d has no k_proj.weight and v_proj.weight; are files missing?"
                .formatted(checkpoint.folder(), layer, cache.layers().size()));
      }
    }
  }

  private GatunException noProjections() {
    String fused =
        checkpoint.tensors().keySet().stream()
            .filter(name -> FUSED.matcher(name).matches())
            .findFirst()
            .map(name -> "; it has %s, keys and values in one tensor with others".formatted(name))
            .orElse("");
    return new GatunException(
        "%s has no tensors ...layers.N.self_attn.k_proj.weight and v_proj.weight, which are what is pooled%s"
            .formatted(checkpoint.folder(), fused));
  }

  private void check(Tensor tensor, int headDim) {
    long rows = (long) heads.kvHeads() * headDim;
    if (tensor.spec().shape().isEmpty() || tensor.spec().shape().getFirst() != rows) {
      throw new GatunException(
          "tensor %s in %s has shape %s, and config.json asks for %d rows (%d KV heads x %d)"
              .formatted(
                  tensor.name(),
                  tensor.file(),
                  tensor.spec().shape(),
                  rows,
                  heads.kvHeads(),
                  headDim));
    }
    if (!tensor.type().isWeight()) {
      throw new GatunException(
          "tensor %s in %s has type %s, and Gatun pools F32, F16 and BF16; use the unquantized checkpoint"
              .formatted(tensor.name(), tensor.file(), tensor.type()));
    }
  }

  /** What the layers keep. */
  ModelCache cache() {
    return cache;
  }

  /** The heads of every layer that has K/V. */
  Kept.Heads heads() {
    return heads;
  }

  /** All tensors. */
  Checkpoint checkpoint() {
    return checkpoint;
  }

  /** Whether a tensor is a key or value projection, weight or bias. */
  boolean isPooled(String tensor) {
    return pooled.contains(tensor);
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
