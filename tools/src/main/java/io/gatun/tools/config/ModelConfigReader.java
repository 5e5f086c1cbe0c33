package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads {@code config.json} and {@code generation_config.json} as Hugging Face writes them, older
 * and newer forms. What is absent has the default of the model type there; what Gatun does not
 * compute is refused, never left out. The rules of a model type stand in the file of its family.
 */
public final class ModelConfigReader {
  private static final Map<String, Family> FAMILIES = new LinkedHashMap<>();

  static {
    FAMILIES.put("llama", Llama::llama);
    FAMILIES.put("mistral", Llama::mistral);
    FAMILIES.put("qwen2", Qwen::qwen2);
    FAMILIES.put("qwen3", Qwen::qwen3);
    FAMILIES.put("qwen3_moe", Qwen::qwen3Moe);
    FAMILIES.put("gemma2", Gemma::gemma2);
    FAMILIES.put("gemma3_text", Gemma::gemma3);
    FAMILIES.put("phi3", Phi3::read);
    FAMILIES.put("smollm3", SmolLm3::read);
    FAMILIES.put("olmo2", Olmo2::read);
    FAMILIES.put("granite", Granite::read);
    FAMILIES.put("gpt_oss", GptOss::read);
    FAMILIES.put("deepseek_v2", DeepSeek::v2);
    FAMILIES.put("deepseek_v3", DeepSeek::v3);
  }

  /** The model types that Gatun runs. */
  public static final List<String> MODEL_TYPES = List.copyOf(FAMILIES.keySet());

  private ModelConfigReader() {}

  /**
   * The configuration of a model folder.
   *
   * @throws GatunException if a file is missing or wrong, or asks for what Gatun does not compute;
   *     the message names the field, what was found and what is possible
   */
  public static ModelConfig read(Path folder) {
    return read(folder, 0);
  }

  /**
   * The configuration of a model folder whose rotary embedding may depend on the length of the
   * text.
   *
   * @param ropeLength tokens that its angles are made for; 0 for the least, which is how
   *     transformers reads a text that is not longer than the first training's
   * @throws GatunException as {@link #read(Path)}
   */
  public static ModelConfig read(Path folder, long ropeLength) {
    JsonFields json = JsonFields.read(folder.resolve("config.json"));
    String type = json.text("model_type", null);
    Family family = type == null ? null : FAMILIES.get(type);
    if (family == null) {
      throw new GatunException(
          "%s: model_type is %s, and Gatun runs %s"
              .formatted(
                  json.where(),
                  type == null ? "not given" : "'" + type + "'",
                  String.join(", ", MODEL_TYPES)));
    }
    JsonFields quantization = json.object("quantization_config");
    if (quantization != null) {
      throw new GatunException(
          ("%s: the checkpoint is quantized (quant_method %s), and Gatun computes"
                  + " with F32, F16 and BF16 weights; use the model's unquantized"
                  + " checkpoint")
              .formatted(json.where(), quantization.text("quant_method", "not given")));
    }
    return family.read(new ModelFields(json, folder, type, ropeLength));
  }
}
