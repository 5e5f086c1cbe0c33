package io.gatun.tools.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/** Tells the kind of each layer where a config does not list the kinds. */
@FunctionalInterface
interface LayerPattern {
  /** The kinds of all layers. */
  List<String> of(ModelKeys keys);

  /** Layers of one kind. */
  static LayerPattern all(String kind) {
    return keys -> kinds(keys, _ -> kind);
  }

  /** The n-th layer, the 2n-th and so on are of one kind, the others of another. */
  static LayerPattern everyNth(String key, int otherwise, String nth, String others) {
    return keys -> {
      int n = keys.count(key, otherwise);
      return kinds(keys, layer -> n > 0 && (layer + 1) % n == 0 ? nth : others);
    };
  }

  /** The n-th layer, the 2n-th and so on are of one kind, the others of another. */
  static LayerPattern everyNth(int n, String nth, String others) {
    return keys -> kinds(keys, layer -> (layer + 1) % n == 0 ? nth : others);
  }

  /** The config has to list the kinds. */
  static LayerPattern mustBeListed() {
    return keys -> {
      throw keys.missing("layer_types");
    };
  }

  /** The first layer of each group of n is of one kind, the others of another. */
  static LayerPattern firstOf(int n, String first, String others) {
    return keys -> kinds(keys, layer -> layer % n == 0 ? first : others);
  }

  /** The first layer of each group is of one kind, the others of another; a key has the size. */
  static LayerPattern firstOf(String key, String first, String others) {
    return keys -> firstOf(keys.count(key), first, others).of(keys);
  }

  /** The layers whose numbers a key lists are of one kind, the others of another. */
  static LayerPattern listed(String key, String listed, String others) {
    return keys -> {
      if (!keys.json().has(key)) {
        throw keys.missing(key);
      }
      List<Integer> numbers = keys.json().counts(key, 0, keys.layers() - 1);
      return kinds(keys, layer -> numbers.contains(layer) ? listed : others);
    };
  }

  /** A key has a number for each layer, which stands for a kind. */
  static LayerPattern coded(String key, Map<Integer, String> kinds) {
    return keys -> {
      if (!keys.json().has(key)) {
        throw keys.missing(key);
      }
      List<Integer> codes = keys.json().counts(key, 0, Integer.MAX_VALUE);
      return kinds(
          keys,
          layer -> {
            int code = layer < codes.size() ? codes.get(layer) : -1;
            if (codes.size() < keys.layers() || !kinds.containsKey(code)) {
              throw keys.refused(
                  "%s is %s, not one of %s for each of %d layers",
                  key, codes, kinds.keySet(), keys.layers());
            }
            return kinds.get(code);
          });
    };
  }

  /** A key has a letter for each layer. */
  static LayerPattern lettered(String key, Map<Character, String> kinds) {
    return keys -> {
      String letters = keys.json().text(key, null);
      if (letters == null) {
        throw keys.missing(key);
      }
      List<String> found = new ArrayList<>();
      for (char letter : letters.toCharArray()) {
        if (!kinds.containsKey(letter)) {
          throw keys.refused(
              "%s is \"%s\", and '%c' is not one of %s", key, letters, letter, kinds.keySet());
        }
        found.add(kinds.get(letter));
      }
      return found;
    };
  }

  /** A kind for each layer. */
  static List<String> kinds(ModelKeys keys, IntFunction<String> kind) {
    int layers = keys.layers();
    List<String> kinds = new ArrayList<>(layers);
    for (int layer = 0; layer < layers; layer++) {
      kinds.add(kind.apply(layer));
    }
    return kinds;
  }
}
