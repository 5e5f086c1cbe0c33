package io.gatun.bench.kernel;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Arguments of the form {@code name=value}. */
record Settings(Map<String, String> values) {
  static Settings of(String[] args) {
    Map<String, String> values = new HashMap<>();
    for (String arg : args) {
      int equals = arg.indexOf('=');
      if (equals < 1) {
        throw new IllegalArgumentException("'%s' is not of the form name=value".formatted(arg));
      }
      values.put(arg.substring(0, equals), arg.substring(equals + 1));
    }
    return new Settings(values);
  }

  String text(String name, String otherwise) {
    return values.getOrDefault(name, otherwise);
  }

  int number(String name, int otherwise) {
    String text = values.get(name);
    return text == null ? otherwise : Integer.parseInt(text);
  }

  List<String> list(String name, String otherwise) {
    return List.of(text(name, otherwise).split(","));
  }
}
