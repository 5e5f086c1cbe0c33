package io.gatun.tools.config;

/** The rules of one family of models: what its {@code config.json} amounts to. */
interface Family {
  /**
   * The description of a model.
   *
   * @throws io.gatun.cache.GatunException if it asks for what Gatun does not compute
   */
  ModelConfig read(ModelFields fields);
}
