package io.gatun.tools.config;

import io.gatun.cache.GatunException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/**
 * How one architecture says what its layers keep: the kinds of layers that it has, where the kinds
 * stand, and the keys that mean something else here than elsewhere. A table of these is all that
 * the reader knows of models.
 *
 * <p>An architecture begins as one whose layers all attend to everything, and is then told what is
 * different. It is complete, and no longer changed, once its table is made.
 */
final class Architecture {
  private final String title;
  private final List<String> modelTypes;
  private final Map<String, Mixer> mixers = new LinkedHashMap<>();
  private final Map<String, List<String>> names = new HashMap<>();
  private final Map<String, Integer> defaults = new HashMap<>();
  private final List<String> aside = new ArrayList<>();
  private final List<Note> notes = new ArrayList<>();
  private LayerPattern pattern = LayerPattern.all("full_attention");
  private List<String> listKeys = List.of("layer_types");
  private ToIntFunction<ModelKeys> kvHeads =
      keys -> keys.positive("num_key_value_heads", keys.count("num_attention_heads"));
  private RowSharing sharing = RowSharing.NONE;

  /** Keys that a pattern reads and that say nothing of kinds. */
  private static final List<String> SHAPE =
      List.of(
          "num_hidden_layers",
          "n_layer",
          "n_layers",
          "num_layers",
          "sliding_window",
          "use_sliding_window",
          "model_type");

  private record Note(Predicate<ModelKeys> when, String text) {}

  private Architecture(String title, List<String> modelTypes) {
    this.title = title;
    this.modelTypes = modelTypes;
    layer("full_attention", Mixers.heads());
  }

  /** A decoder whose layers all attend to everything. */
  static Architecture of(String title, String modelTypes) {
    return new Architecture(title, List.of(modelTypes.split(" ")));
  }

  /** Another kind of layer, or another meaning of a kind. */
  Architecture layer(String kinds, Mixer mixer) {
    for (String kind : kinds.split(" ")) {
      mixers.put(kind, mixer);
    }
    return this;
  }

  /** Which layers are of which kind where {@code layer_types} does not say. */
  Architecture pattern(LayerPattern layerPattern) {
    pattern = layerPattern;
    return this;
  }

  /** The keys that may list a kind for each layer, instead of {@code layer_types}. */
  Architecture listedIn(String... keys) {
    listKeys = List.of(keys);
    return this;
  }

  /** A number that its class takes where the key is not written down. */
  Architecture takes(String key, int value) {
    defaults.put(key, value);
    return this;
  }

  /** The names of a number here; the first that is written down counts. */
  Architecture reads(String key, String... keysHere) {
    names.put(key, List.of(keysHere));
    return this;
  }

  /** How the number of KV heads is said. */
  Architecture kvHeads(ToIntFunction<ModelKeys> rule) {
    kvHeads = rule;
    return this;
  }

  /** Which layers read the rows of others. */
  Architecture sharing(RowSharing rule) {
    sharing = rule;
    return this;
  }

  /** Keys that have no effect on the cache of this architecture; {@code *} stands for any text. */
  Architecture aside(String... keys) {
    aside.addAll(Arrays.asList(keys));
    return this;
  }

  /** A sentence that belongs to the figures. */
  Architecture note(String text) {
    return note(_ -> true, text);
  }

  /** A sentence that belongs to the figures of some models. */
  Architecture note(Predicate<ModelKeys> when, String text) {
    notes.add(new Note(when, text));
    return this;
  }

  /** The family's name, for people. */
  String title() {
    return title;
  }

  /** The values of {@code model_type} that it goes by. */
  List<String> modelTypes() {
    return modelTypes;
  }

  /** The names of a number here; null if there is nothing special about them. */
  List<String> namesOf(String key) {
    return names.get(key);
  }

  /** Whether the first name that is written down counts, and others may differ. */
  boolean firstNameCounts(String key) {
    return names.containsKey(key);
  }

  /** What its class takes for a key; null if it takes nothing. */
  Integer defaultOf(String key) {
    return defaults.get(key);
  }

  /** KV heads where they are not said layer by layer. */
  int kvHeads(ModelKeys keys) {
    return kvHeads.applyAsInt(keys);
  }

  /** Keys without effect. */
  List<String> aside() {
    return aside;
  }

  /** The sentences that belong to this model. */
  List<String> notes(ModelKeys keys) {
    return notes.stream().filter(note -> note.when.test(keys)).map(Note::text).toList();
  }

  /** What each layer keeps. */
  List<LayerCache> layers(ModelKeys keys) {
    List<String> kinds = kinds(keys);
    List<LayerCache> layers = new ArrayList<>();
    for (int layer = 0; layer < kinds.size(); layer++) {
      Mixer mixer = mixers.get(kinds.get(layer));
      if (mixer == null) {
        throw keys.refused(
            "layer %d is of kind '%s', and layers of %s are %s",
            layer, kinds.get(layer), title, String.join(", ", mixers.keySet()));
      }
      layers.add(sharing.apply(keys, kinds, layer, mixer.of(keys, layer)));
    }
    return layers;
  }

  private List<String> kinds(ModelKeys keys) {
    List<String> listed = null;
    for (String key : listKeys) {
      if (keys.json().has(key)) {
        List<String> own = keys.json().texts(key);
        if (listed != null && !listed.equals(own)) {
          throw keys.refused("%s and %s list different layers", listKeys.getFirst(), key);
        }
        listed = own;
      }
    }
    List<String> kinds = listed == null ? pattern.of(keys) : listed;
    boolean said = keys.has("num_hidden_layers");
    if (kinds.isEmpty() || (said && kinds.size() != keys.layers())) {
      throw keys.refused(
          "%s has %d entries for %s layers",
          listed == null ? "the pattern of its layers" : String.join(" or ", listKeys),
          kinds.size(),
          said ? String.valueOf(keys.layers()) : "no");
    }
    if (listed != null && !listed.contains("sliding_attention")) {
      keys.json().understood("sliding_window");
    }
    if (listed != null) {
      compareWithPattern(keys, listed);
    }
    return kinds;
  }

  /**
   * Older keys may say beside a list what the layers are. They are read too, so that they count as
   * understood, and must say the same.
   */
  private void compareWithPattern(ModelKeys keys, List<String> listed) {
    JsonFields fresh = keys.json().afresh();
    List<String> kinds;
    try {
      kinds = pattern.of(new ModelKeys(fresh, this));
    } catch (GatunException e) {
      // The pattern is not written down, or not in a form that is known: the latter stays unasked.
      return;
    }
    List<String> said = fresh.found().stream().filter(name -> !SHAPE.contains(name)).toList();
    List<Mixer> own = listed.stream().map(mixers::get).toList();
    if (!said.isEmpty() && !own.contains(null) && !own.equals(mixers(kinds))) {
      throw keys.refused(
          "%s lists other layers than %s", listKeys.getFirst(), String.join(", ", said));
    }
    keys.json().understood(said.toArray(String[]::new));
  }

  private List<Mixer> mixers(List<String> kinds) {
    return kinds.stream().map(mixers::get).toList();
  }
}
