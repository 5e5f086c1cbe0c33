package io.gatun.bench.show;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.cache.GatunException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The least shares of the roof that measurements must reach. The file holds what was reached when
 * it was written, and a margin for the noise of the machine:
 *
 * <pre>
 *   { "margin": 0.1,
 *     "reached": { "f32 32/8/128 4096 tokens 2 threads anonymous": 0.93, ... } }
 * </pre>
 *
 * A measurement falls if it is below what was reached by more than that part of it.
 */
public final class Floors {
  /** Where the floors of the build lie on the class path. */
  private static final String BUILT_IN = "/floors.json";

  private final String name;
  private final double margin;
  private final Map<String, Double> reached;

  private Floors(String name, double margin, Map<String, Double> reached) {
    this.name = name;
    this.margin = margin;
    this.reached = reached;
  }

  /**
   * What became of the measurements.
   *
   * @param passed whether none fell, and at least one was compared
   * @param text for a person, each line ended
   */
  public record Verdict(boolean passed, String text) {}

  /**
   * Reads floors.
   *
   * @param file null for those that were built in
   * @throws GatunException if the file is not such a file
   */
  public static Floors load(Path file) throws IOException {
    if (file != null) {
      return parse(file.toString(), Files.readAllBytes(file));
    }
    try (InputStream in = Floors.class.getResourceAsStream(BUILT_IN)) {
      if (in == null) {
        throw new GatunException("this build has no floors.json; name one with --floors FILE");
      }
      return parse("bench/floors.json", in.readAllBytes());
    }
  }

  static Floors parse(String name, byte[] json) throws IOException {
    JsonNode root;
    try {
      root = new ObjectMapper().readTree(json);
    } catch (JsonProcessingException e) {
      throw new GatunException(name + " is not JSON: " + e.getOriginalMessage(), e);
    }
    JsonNode margin = root.path("margin");
    JsonNode reached = root.path("reached");
    if (!margin.isNumber() || margin.doubleValue() < 0 || margin.doubleValue() >= 1) {
      throw new GatunException(name + ": \"margin\" must be a number from 0 to 1");
    }
    if (!reached.isObject()) {
      throw new GatunException(name + ": \"reached\" must be an object of shares by name");
    }
    Map<String, Double> shares = new LinkedHashMap<>();
    reached
        .properties()
        .forEach(entry -> {
          if (!entry.getValue().isNumber()) {
            throw new GatunException(
                "%s: the share of '%s' is not a number".formatted(name, entry.getKey()));
          }
          shares.put(entry.getKey(), entry.getValue().doubleValue());
        });
    return new Floors(name, margin.doubleValue(), shares);
  }

  /** Compares measured shares, by name, with those that have a floor. */
  public Verdict check(Map<String, Double> shares) {
    StringBuilder text = new StringBuilder();
    int compared = 0;
    int fell = 0;
    for (Map.Entry<String, Double> entry : shares.entrySet()) {
      Double was = reached.get(entry.getKey());
      if (was == null) {
        continue;
      }
      compared++;
      double floor = was * (1 - margin);
      if (entry.getValue() < floor) {
        fell++;
        text.append(
            String.format(
                Locale.ROOT,
                "FELL  %s: %.3f of the roof, below its floor of %.3f (%.3f was reached)%n",
                entry.getKey(),
                entry.getValue(),
                floor,
                was));
      }
    }
    if (compared == 0) {
      text.append(name)
          .append(" has no floor for anything that was measured; nothing was checked.\n");
    } else if (fell == 0) {
      text.append("Check: all %d that have a floor in %s hold it.%n".formatted(compared, name));
    } else {
      text.append("Check: %d of %d fell below %s.%n".formatted(fell, compared, name));
    }
    return new Verdict(compared > 0 && fell == 0, text.toString());
  }
}
