package io.gatun.tools.model;

import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * How a model's weights are taken.
 *
 * @param folder where rounded weights are kept; null for the model's own folder
 * @param notes where digests of weights are noted; see {@link ModelDigest}
 * @param messages is told what takes long, and why
 */
public record WeightOptions(WeightForm form, Path folder, Path notes, Consumer<String> messages) {
  /** This form, kept in {@code folder}. */
  public static WeightOptions of(WeightForm form, Path folder, Consumer<String> messages) {
    return new WeightOptions(form, folder, ModelDigest.defaultNotes(), messages);
  }
}
