package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** The published models that the planner knows by name: the data file {@code models.csv}. */
public final class ModelCatalog {
  private static final String FILE = "models.csv";
  private static final int COLUMNS = 14;

  private static final List<AttentionShape> MODELS = read();

  private ModelCatalog() {}

  /** All of them, in the order of the file. */
  public static List<AttentionShape> all() {
    return MODELS;
  }

  /**
   * The model of a name. Case, blanks, dashes and dots do not matter; the front of a name is enough
   * if no other model begins so.
   *
   * @throws GatunException if none or more than one fits; it names those that come near
   */
  public static AttentionShape find(String name) {
    String wanted = plain(name);
    List<AttentionShape> begins = new ArrayList<>();
    for (AttentionShape model : MODELS) {
      String known = plain(model.name());
      if (known.equals(wanted)) {
        return model;
      }
      if (!wanted.isEmpty() && known.startsWith(wanted)) {
        begins.add(model);
      }
    }
    if (begins.size() == 1) {
      return begins.getFirst();
    }
    List<AttentionShape> near = begins.isEmpty() ? near(wanted) : begins;
    String hint =
        near.isEmpty()
            ? ""
            : "; near: " + String.join(", ", near.stream().map(AttentionShape::name).toList());
    throw new GatunException(
        "%s model is called '%s'%s. `gatun plan --list` names all, --config reads any config.json"
            .formatted(begins.isEmpty() ? "no known" : "more than one", name, hint));
  }

  /** Models that share the letters before the first digit, as {@code llama} in {@code Llama-9}. */
  private static List<AttentionShape> near(String wanted) {
    String family = wanted.replaceFirst("[0-9].*", "");
    if (family.length() < 3) {
      return List.of();
    }
    return MODELS.stream().filter(m -> plain(m.name()).startsWith(family)).toList();
  }

  private static String plain(String name) {
    return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "");
  }

  private static List<AttentionShape> read() {
    List<AttentionShape> models = new ArrayList<>();
    for (String[] f : rows()) {
      models.add(parse(f));
    }
    return List.copyOf(models);
  }

  /** The fields of every line but comments and the header. */
  public static List<String[]> rows() {
    List<String[]> rows = new ArrayList<>();
    try (InputStream in = ModelCatalog.class.getResourceAsStream(FILE);
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      String line;
      while ((line = lines.readLine()) != null) {
        if (!line.startsWith("#") && !line.startsWith("model,")) {
          String[] fields = line.split(",", -1);
          if (fields.length != COLUMNS) {
            throw new IllegalStateException("%s: not %d fields: %s".formatted(FILE, COLUMNS, line));
          }
          rows.add(fields);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return rows;
  }

  private static AttentionShape parse(String[] f) {
    int layers = Integer.parseInt(f[1]);
    int sliding = Integer.parseInt(f[6]);
    long window = Long.parseLong(f[7]);
    // Which layers slide does not matter for the bytes, only how many.
    List<Long> windows = new ArrayList<>(Collections.nCopies(sliding, window));
    windows.addAll(Collections.nCopies(layers - sliding, AttentionShape.FULL));
    int latentDim = Integer.parseInt(f[8]);
    return new AttentionShape(
        f[0],
        Integer.parseInt(f[2]),
        Integer.parseInt(f[3]),
        Integer.parseInt(f[4]),
        Integer.parseInt(f[5]),
        latentDim == 0 ? null : new AttentionShape.Latent(latentDim, Integer.parseInt(f[9])),
        windows,
        Integer.parseInt(f[10]),
        Long.parseLong(f[11]),
        f[12].equals("checked") ? AttentionShape.Source.CHECKED : AttentionShape.Source.MEMORY);
  }
}
