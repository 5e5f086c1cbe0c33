package io.gatun.tools.config;

import java.nio.file.Path;

/** Reads what a model keeps of a sequence from its {@code config.json}; the one place that does. */
public final class ModelCacheReader {
  private ModelCacheReader() {}

  /**
   * Reads a file, or the {@code config.json} of a folder.
   *
   * @throws io.gatun.cache.GatunException if it cannot be read, does not say what a cache depends
   *     on, or says something that is not understood
   */
  public static ModelCache read(Path path) {
    return ModelCache.of(AttentionShapeReader.read(path));
  }
}
