package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a dictionary's {@code keys()}, {@code values()} and {@code items()} give. */
record DictView(String kind, Map<Object, Object> map) {
  List<Object> list() {
    return switch (kind) {
      case "dict_keys" -> new ArrayList<>(map.keySet());
      case "dict_values" -> new ArrayList<>(map.values());
      default -> {
        List<Object> pairs = new ArrayList<>();
        map.forEach((key, value) -> pairs.add(Tuples.of(key, value)));
        yield pairs;
      }
    };
  }
}
