package io.gatun.tools.run;

import io.gatun.cache.KvType;
import io.gatun.tools.model.WeightOptions;
import io.gatun.tools.sampling.SamplingOptions;
import java.nio.file.Path;
import java.util.List;

/**
 * What a run was asked for, checked.
 *
 * @param model folder of the model; null for the built-in one
 * @param prompt null if none was given
 * @param system a chat's system message; null if none was given
 * @param conversation null for the default one
 * @param kvType null for that of the weights
 * @param commitEvery null for the default, which is silent
 * @param ropeLength tokens that angles are made for where they depend on it; 0 for the least
 * @param beyondTrainedLength whether to go on past the positions that the model was trained for
 */
record RunRequest(
    Path model,
    WeightOptions weights,
    List<Path> contexts,
    String prompt,
    boolean chat,
    String system,
    int maxTokens,
    Path store,
    String conversation,
    KvType kvType,
    Integer commitEvery,
    SamplingOptions sampling,
    int threads,
    boolean json,
    long ropeLength,
    boolean beyondTrainedLength) {

  /** Whether nothing was said about what to read: the built-in model then shows its own text. */
  boolean isDemo() {
    return model == null && contexts.isEmpty() && prompt == null && conversation == null;
  }
}
