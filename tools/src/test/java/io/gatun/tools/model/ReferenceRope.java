package io.gatun.tools.model;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * Rotary embeddings in double, by the rules of transformers' {@code modeling_rope_utils} and of the
 * papers that they are from; shares no code with the runner.
 */
final class ReferenceRope {
  final double[] inverse;
  final double factor;

  /**
   * @param config the whole configuration
   * @param scaling the section with rope_type; may be missing
   * @param rotary values that turn
   * @param length tokens of the text
   */
  ReferenceRope(JsonNode config, JsonNode scaling, int rotary, double theta, long length) {
    inverse = new double[rotary / 2];
    String kind = scaling.path("rope_type").asText(scaling.path("type").asText("default"));
    double max = config.path("max_position_embeddings").asDouble();
    double original =
        config.has("original_max_position_embeddings")
            ? config.get("original_max_position_embeddings").asDouble()
            : scaling.path("original_max_position_embeddings").asDouble(max);
    double stretch = scaling.path("factor").asDouble(max / original);
    double base = theta;
    double attention = 1;
    if (kind.equals("dynamic")) {
      double seen = Math.max(length, max);
      base *= Math.pow(stretch * seen / max - (stretch - 1), rotary / (rotary - 2.0));
    }
    for (int i = 0; i < inverse.length; i++) {
      inverse[i] = 1 / Math.pow(base, 2.0 * i / rotary);
    }
    switch (kind) {
      case "linear" -> {
        for (int i = 0; i < inverse.length; i++) {
          inverse[i] /= stretch;
        }
      }
      case "llama3" -> llama3(scaling, original, stretch);
      case "yarn" -> {
        yarn(scaling, rotary, base, original, stretch);
        attention = yarnFactor(scaling, stretch);
      }
      case "longrope", "su" -> {
        JsonNode list = scaling.get(length > original ? "long_factor" : "short_factor");
        for (int i = 0; i < inverse.length; i++) {
          inverse[i] /= list.get(i).asDouble();
        }
        attention =
            scaling
                .path("attention_factor")
                .asDouble(stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original)));
      }
      default -> {}
    }
    factor = attention;
  }

  private void llama3(JsonNode scaling, double original, double stretch) {
    double low = scaling.get("low_freq_factor").asDouble();
    double high = scaling.get("high_freq_factor").asDouble();
    for (int i = 0; i < inverse.length; i++) {
      double wave = 2 * Math.PI / inverse[i];
      if (wave > original / low) {
        inverse[i] /= stretch;
      } else if (wave >= original / high) {
        double smooth = (original / wave - low) / (high - low);
        inverse[i] = (1 - smooth) * inverse[i] / stretch + smooth * inverse[i];
      }
    }
  }

  private void yarn(JsonNode scaling, int rotary, double base, double original, double stretch) {
    double low = correction(scaling.path("beta_fast").asDouble(32), rotary, base, original);
    double high = correction(scaling.path("beta_slow").asDouble(1), rotary, base, original);
    if (scaling.path("truncate").asBoolean(true)) {
      low = Math.floor(low);
      high = Math.ceil(high);
    }
    low = Math.max(low, 0);
    high = Math.min(high, rotary - 1);
    if (low == high) {
      high += 0.001;
    }
    for (int i = 0; i < inverse.length; i++) {
      double ramp = Math.min(1, Math.max(0, (i - low) / (high - low)));
      inverse[i] = inverse[i] / stretch * ramp + inverse[i] * (1 - ramp);
    }
  }

  private static double correction(double turns, int rotary, double base, double original) {
    return rotary * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(base));
  }

  private static double yarnFactor(JsonNode scaling, double stretch) {
    if (scaling.has("attention_factor")) {
      return scaling.get("attention_factor").asDouble();
    }
    double one = scaling.path("mscale").asDouble(0);
    double all = scaling.path("mscale_all_dim").asDouble(0);
    return one != 0 && all != 0 ? mscale(stretch, one) / mscale(stretch, all) : mscale(stretch, 1);
  }

  static double mscale(double stretch, double weight) {
    return stretch <= 1 ? 1 : 0.1 * weight * Math.log(stretch) + 1;
  }

  /** Turns values {@code [at, at + rotary)}; pairs are halves apart, or neighbours. */
  void turn(double[] row, int at, int position, boolean neighbours) {
    int n = inverse.length;
    for (int i = 0; i < n; i++) {
      int a = at + (neighbours ? 2 * i : i);
      int b = at + (neighbours ? 2 * i + 1 : i + n);
      double cos = Math.cos(position * inverse[i]) * factor;
      double sin = Math.sin(position * inverse[i]) * factor;
      double x = row[a];
      double y = row[b];
      row[a] = x * cos - y * sin;
      row[b] = y * cos + x * sin;
    }
  }
}
