package io.gatun.bench.show;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.bench.system.Machine;
import io.gatun.cache.GatunException;
import io.gatun.tools.cli.UserFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The least shares of the roof that measurements must reach, for each kind of machine that someone
 * set them on: a processor reaches a share that another one does not. The file:
 *
 * <pre>
 *   { "machines": [
 *       { "cpu": "AMD EPYC", "vectorBits": 512, "comment": "which run set them",
 *         "floors": { "f32 32/8/128 4096 tokens 2 threads anonymous": 0.80, ... } } ] }
 * </pre>
 *
 * A measurement is held against the floors of its own processor model and vector width; where there
 * are none, against those of the first machine with the same vector width, or of the first one, and
 * the verdict says so.
 */
public final class Floors {
  /** Where the floors of the build lie on the class path. */
  private static final String BUILT_IN = "/floors.json";

  /** Floors that were set on one kind of machine. */
  private record MachineFloors(String cpu, int vectorBits, Map<String, Double> floors) {
    String measuredOn() {
      return "%s, %d-bit vectors".formatted(cpu, vectorBits);
    }
  }

  private final String name;
  private final MachineFloors chosen;

  /** What the verdict has to say of another machine than this one; empty if it is this one's. */
  private final String otherMachine;

  private Floors(String name, MachineFloors chosen, String otherMachine) {
    this.name = name;
    this.chosen = chosen;
    this.otherMachine = otherMachine;
  }

  /**
   * What became of the measurements.
   *
   * @param passed whether none fell, and at least one was compared
   * @param text for a person, each line ended
   */
  public record Verdict(boolean passed, String text) {}

  /**
   * Reads the floors for a machine.
   *
   * @param file null for those that were built in
   * @param here the machine that measures
   * @throws GatunException if the file is not such a file
   */
  public static Floors load(Path file, Machine here) throws IOException {
    if (file != null) {
      return parse(file.toString(), Files.readAllBytes(UserFiles.require(file)), here);
    }
    try (InputStream in = Floors.class.getResourceAsStream(BUILT_IN)) {
      if (in == null) {
        throw new GatunException("this build has no floors.json; name one with --floors FILE");
      }
      return parse("bench/floors.json", in.readAllBytes(), here);
    }
  }

  static Floors parse(String name, byte[] json, Machine here) throws IOException {
    JsonNode root;
    try {
      root = new ObjectMapper().readTree(json);
    } catch (JsonProcessingException e) {
      throw new GatunException(name + " is not JSON: " + e.getOriginalMessage(), e);
    }
    JsonNode machines = root.path("machines");
    if (!machines.isArray() || machines.isEmpty()) {
      throw new GatunException(name + ": \"machines\" must be a list of at least one machine");
    }
    List<MachineFloors> all = new ArrayList<>();
    for (JsonNode machine : machines) {
      all.add(machine(name, machine));
    }
    return choose(name, all, here);
  }

  private static MachineFloors machine(String name, JsonNode machine) {
    JsonNode cpu = machine.path("cpu");
    JsonNode bits = machine.path("vectorBits");
    JsonNode floors = machine.path("floors");
    if (!cpu.isTextual() || !bits.isInt()) {
      throw new GatunException(
          name + ": a machine needs \"cpu\", a text, and \"vectorBits\", a number");
    }
    if (!floors.isObject()) {
      throw new GatunException(name + ": \"floors\" must be an object of shares by name");
    }
    Map<String, Double> shares = new LinkedHashMap<>();
    floors
        .properties()
        .forEach(entry -> {
          double floor = entry.getValue().asDouble(-1);
          if (!entry.getValue().isNumber() || floor <= 0) {
            throw new GatunException(
                "%s: the floor of '%s' is not a number above 0".formatted(name, entry.getKey()));
          }
          shares.put(entry.getKey(), floor);
        });
    return new MachineFloors(cpu.textValue(), bits.intValue(), shares);
  }

  private static Floors choose(String name, List<MachineFloors> all, Machine here) {
    for (MachineFloors floors : all) {
      if (floors.cpu().equals(here.cpu()) && floors.vectorBits() == here.vectorBits()) {
        return new Floors(name, floors, "");
      }
    }
    MachineFloors nearest =
        all.stream()
            .filter(floors -> floors.vectorBits() == here.vectorBits())
            .findFirst()
            .orElse(all.getFirst());
    return new Floors(
        name,
        nearest,
        "Another machine: these floors were set on %s; this is %s, %d-bit vectors. A share that fell may be the processor's.%n"
            .formatted(nearest.measuredOn(), here.cpu(), here.vectorBits()));
  }

  /** Compares measured shares, by name, with those that have a floor. */
  public Verdict check(Map<String, Double> shares) {
    StringBuilder text = new StringBuilder();
    int compared = 0;
    int fell = 0;
    for (Map.Entry<String, Double> entry : shares.entrySet()) {
      Double floor = chosen.floors().get(entry.getKey());
      if (floor == null) {
        continue;
      }
      compared++;
      if (entry.getValue() < floor) {
        fell++;
        text.append(
            String.format(
                Locale.ROOT,
                "FELL  %s: %.3f of the roof, below its floor of %.3f%n",
                entry.getKey(),
                entry.getValue(),
                floor));
      }
    }
    String set = "%s (measured on %s)".formatted(name, chosen.measuredOn());
    if (compared == 0) {
      text.append(set)
          .append(" has no floor for anything that was measured; nothing was checked.\n");
    } else if (fell == 0) {
      text.append("Check: all %d that have a floor in %s hold it.%n".formatted(compared, set));
    } else {
      text.append("Check: %d of %d fell below %s.%n".formatted(fell, compared, set));
    }
    text.append(otherMachine);
    return new Verdict(compared > 0 && fell == 0, text.toString());
  }
}
