package io.gatun.tools.report;

import io.gatun.attention.Team;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import io.gatun.tools.convert.TextPass;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import io.gatun.tools.safetensors.Checkpoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;

/**
 * Figure 3: where each query head looks, and what it reads. The decoder runs a text and fills a
 * cache; the keys come from that cache, the queries from a second pass in f64 that shares no kernel
 * with the decoder.
 */
final class PatternFigure {
  /** Tokens of the maps: as many cells as one can still tell apart. */
  private static final int MOST_TOKENS = 96;

  private static final int LEAST_TOKENS = 8;

  /** Below this, relative to the largest, two groups' keys and values are the same but for rounding. */
  private static final double EQUAL = 1e-4;

  /** Query heads shown, and those of one group. */
  private static final int MOST_HEADS = 16;

  private static final int MOST_COLUMNS = 4;

  private final Run run;
  private final Model model;
  private final KvView view;
  private final int tokens;
  private final int heads;
  private final int kvHeads;
  private final int group;
  private final Table distances;
  private final Table proof;

  private int chosen;
  private double furthest = -1;
  private List<float[]> patterns; // of the chosen layer, [heads] of [tokens][tokens]
  private double worstOwn;

  /** Smallest difference between groups, over the layers where they are not equal. */
  private double nearestOther = Double.POSITIVE_INFINITY;

  private final TreeSet<Integer> equalLayers = new TreeSet<>();

  /**
   * A model to run.
   *
   * @param name how the page calls it
   * @param layer whose maps are shown; null: the one whose heads look most differently
   * @param files front of the names of charts and tables
   */
  record Run(Model model, String name, String text, Integer layer, String files) {}

  private PatternFigure(Run run, KvView view, int tokens) {
    this.run = run;
    this.model = run.model;
    this.view = view;
    this.tokens = tokens;
    this.heads = model.config().numHeads();
    this.kvHeads = model.config().numKvHeads();
    this.group = heads / kvHeads;
    this.distances =
        Table.of(
            run.files + "-distances",
            "How differently heads of "
                + run.name
                + " look: total variation between their weights, mean over tokens"
                + " (0: the same, 1: nothing in common)",
            "layer",
            "heads of one group",
            "heads of different groups");
    this.proof =
        Table.of(
            run.files + "-shared",
            "What query heads of "
                + run.name
                + " read, from the cache: offset of the keys in the block, and the"
                + " largest difference between those keys and the keys made for this head in f64",
            "layer",
            "query head",
            "KV head",
            "key offset",
            "value offset",
            "from its own KV head",
            "from the nearest other");
  }

  /** The figure, with maps and tables of each run. */
  static Figure of(List<Run> runs, Team team) {
    List<String> text = new ArrayList<>();
    text.add(
        "Heads in one group read the same keys and values and still look elsewhere, because their"
            + " queries differ. Each map shows one query head: the tokens that ask go down, those"
            + " that are looked at go right, and the colour is the square root of the weight.");
    List<Figure.Chart> charts = new ArrayList<>();
    List<Table> tables = new ArrayList<>();
    for (Run run : runs) {
      part(run, text, charts, tables, team);
    }
    return new Figure("Where heads of a group look", text, charts, tables);
  }

  private static void part(
      Run run, List<String> text, List<Figure.Chart> charts, List<Table> tables, Team team) {
    Model model = run.model;
    if (run.layer != null && (run.layer < 0 || run.layer >= model.config().layers())) {
      throw new GatunException(
          "--layer is %d, and the model has layers 0 to %d"
              .formatted(run.layer, model.config().layers() - 1));
    }
    int[] ids = model.tokenizer().encode(run.text, true);
    if (ids.length < LEAST_TOKENS) {
      throw new GatunException(
          "the text has %d tokens; at least %d are needed".formatted(ids.length, LEAST_TOKENS));
    }
    int[] front = Arrays.copyOf(ids, Math.min(ids.length, MOST_TOKENS));
    try (KvCache cache = KvCache.builder(model.kvShape()).build();
        Decoder decoder = new Decoder(model, cache, team);
        Checkpoint checkpoint = Checkpoint.open(model.folder());
        TextPass pass = new TextPass(checkpoint, model.config(), front, team)) {
      decoder.prefill(front, 0, front.length);
      try (KvView view = cache.view()) {
        PatternFigure figure = new PatternFigure(run, view, front.length);
        pass.run(figure::visit);
        figure.addTo(text, charts, tables);
      }
    }
  }

  private void visit(TextPass.Attention a) {
    List<float[]> maps = new ArrayList<>();
    for (int head = 0; head < heads; head++) {
      maps.add(pattern(a, head));
    }
    double within = distance(maps, true);
    double across = distance(maps, false);
    distances.row(a.index(), number(within), number(across));
    boolean best = run.layer == null ? score(within, across) > furthest : run.layer == a.index();
    if (best) {
      furthest = score(within, across);
      chosen = a.index();
      patterns = maps;
    }
    prove(a);
  }

  private static double score(double within, double across) {
    return (Double.isNaN(within) ? 0 : within) + (Double.isNaN(across) ? 0 : across);
  }

  private static String number(double value) {
    return Double.isNaN(value) ? "none" : String.format(Locale.ROOT, "%.3f", value);
  }

  /** Weights of a head: queries of the f64 pass, keys as the cache holds them. */
  private float[] pattern(TextPass.Attention a, int head) {
    int dim = model.config().headDim();
    int window = a.shape().window();
    double[][] keys = new double[tokens][];
    float[] row = new float[dim];
    for (int j = 0; j < tokens; j++) {
      RowReader.key(view, a.index(), head / group, j, row);
      keys[j] = new double[dim];
      for (int i = 0; i < dim; i++) {
        keys[j][i] = row[i];
      }
    }
    MemorySegment q = a.layer().q();
    float[] map = new float[tokens * tokens];
    double[] scores = new double[tokens];
    for (int t = 0; t < tokens; t++) {
      int first = window == 0 ? 0 : Math.max(0, t - window + 1);
      double largest = Double.NEGATIVE_INFINITY;
      for (int j = first; j <= t; j++) {
        double dot = 0;
        for (int i = 0; i < dim; i++) {
          long at = ((long) t * heads + head) * dim + i;
          dot += q.getAtIndex(ValueLayout.JAVA_DOUBLE, at) * keys[j][i];
        }
        scores[j] = dot * a.shape().scale();
        largest = Math.max(largest, scores[j]);
      }
      double sum = 0;
      for (int j = first; j <= t; j++) {
        scores[j] = Math.exp(scores[j] - largest);
        sum += scores[j];
      }
      for (int j = first; j <= t; j++) {
        map[t * tokens + j] = (float) (scores[j] / sum);
      }
    }
    return map;
  }

  /** Mean over the pairs of heads, of one group or of different ones; NaN if there is no pair. */
  private double distance(List<float[]> maps, boolean sameGroup) {
    double sum = 0;
    int pairs = 0;
    for (int a = 0; a < heads; a++) {
      for (int b = a + 1; b < heads; b++) {
        if ((a / group == b / group) == sameGroup) {
          double difference = 0;
          for (int i = tokens; i < tokens * tokens; i++) {
            difference += Math.abs(maps.get(a)[i] - maps.get(b)[i]);
          }
          // The first token sees only itself, whichever the head.
          sum += difference / 2 / (tokens - 1);
          pairs++;
        }
      }
    }
    return pairs == 0 ? Double.NaN : sum / pairs;
  }

  /** Compares the keys that the f64 pass made for each query head with every row set of the cache. */
  private void prove(TextPass.Attention a) {
    KvLayout layout = view.layout();
    for (int head = 0; head < heads; head++) {
      int own = head / group;
      double fromOwn = difference(a, own, own);
      double fromOther = Double.POSITIVE_INFINITY;
      for (int other = 0; other < kvHeads; other++) {
        if (other != own) {
          fromOther = Math.min(fromOther, difference(a, own, other));
        }
      }
      worstOwn = Math.max(worstOwn, fromOwn);
      if (fromOther < EQUAL) {
        equalLayers.add(a.index());
      } else {
        nearestOther = Math.min(nearestOther, fromOther);
      }
      proof.row(
          a.index(),
          head,
          own,
          layout.keyOffset(a.index(), own, 0),
          layout.valueOffset(a.index(), own, 0),
          String.format(Locale.ROOT, "%.1e", fromOwn),
          kvHeads == 1 ? "none" : String.format(Locale.ROOT, "%.1e", fromOther));
    }
  }

  /** Largest difference between made keys and values and stored ones, over the largest of them. */
  private double difference(TextPass.Attention a, int made, int stored) {
    int dim = model.config().headDim();
    float[] key = new float[dim];
    float[] value = new float[dim];
    double keyDifference = 0;
    double valueDifference = 0;
    double largestKey = 0;
    double largestValue = 0;
    for (int t = 0; t < tokens; t++) {
      RowReader.key(view, a.index(), stored, t, key);
      RowReader.value(view, a.index(), stored, t, value);
      for (int i = 0; i < dim; i++) {
        long at = ((long) t * kvHeads + made) * dim + i;
        double k = a.layer().k().getAtIndex(ValueLayout.JAVA_DOUBLE, at);
        double v = a.layer().v().getAtIndex(ValueLayout.JAVA_DOUBLE, at);
        keyDifference = Math.max(keyDifference, Math.abs(k - key[i]));
        valueDifference = Math.max(valueDifference, Math.abs(v - value[i]));
        largestKey = Math.max(largestKey, Math.max(Math.abs(k), Math.abs(key[i])));
        largestValue = Math.max(largestValue, Math.max(Math.abs(v), Math.abs(value[i])));
      }
    }
    return Math.max(
        keyDifference == 0 ? 0 : keyDifference / largestKey,
        valueDifference == 0 ? 0 : valueDifference / largestValue);
  }

  private void addTo(List<String> text, List<Figure.Chart> charts, List<Table> tables) {
    int columns = Math.min(group, MOST_COLUMNS);
    int rows = Math.min(kvHeads, MOST_HEADS / columns);
    if (columns == 1) {
      columns = Math.min(rows, MOST_COLUMNS); // MHA: a head is its own group
    }
    List<String> titles = new ArrayList<>();
    List<float[]> shown = new ArrayList<>();
    for (int kvHead = 0; kvHead < rows; kvHead++) {
      for (int i = 0; i < Math.min(group, MOST_COLUMNS); i++) {
        int head = kvHead * group + i;
        titles.add("query head %d, KV head %d".formatted(head, kvHead));
        shown.add(patterns.get(head));
      }
    }
    String layout =
        group == 1
            ? "each head is its own group"
            : group > MOST_COLUMNS
                ? "a row shows the first %d of a group's %d heads".formatted(MOST_COLUMNS, group)
                : "a row is a group";
    int across = columns;
    charts.add(
        new Figure.Chart(
            run.files + "-patterns",
            "Layer %d of %s on %d tokens; %s".formatted(chosen, run.name, tokens, layout),
            "Maps of the attention weights of %d query heads in layer %d, query tokens downwards, key"
                    .formatted(shown.size(), chosen)
                + " tokens to the right; heads of one KV head look at different tokens.",
            theme -> Charts.patterns(theme, across, titles, shown, tokens)));
    tables.add(distances);
    tables.add(proof);
    text.add(sharing());
  }

  /** What the cache shows about sharing, in a sentence or three. */
  private String sharing() {
    String who = Character.toUpperCase(run.name.charAt(0)) + run.name.substring(1);
    if (kvHeads == 1) {
      return who + " has one KV head: every query head reads the same bytes of the cache.";
    }
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%s, read from its cache: the %d query heads of a group read one run of keys and one of"
                + " values, and these differ from what a second, independent pass makes for those"
                + " heads by at most %.1e of the largest.",
            who,
            group,
            worstOwn));
    if (nearestOther < Double.POSITIVE_INFINITY) {
      text.append(
          String.format(
              Locale.ROOT, " Those of any other group differ by at least %.2f.", nearestOther));
    }
    if (!equalLayers.isEmpty()) {
      text.append(
          " In layer%s %s its groups hold equal keys and values: its weights are made so."
              .formatted(
                  equalLayers.size() == 1 ? "" : "s",
                  String.join(" and ", equalLayers.stream().map(String::valueOf).toList())));
    }
    return text.toString();
  }
}
