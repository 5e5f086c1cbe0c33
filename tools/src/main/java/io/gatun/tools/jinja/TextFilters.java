package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Filters that give texts. */
final class TextFilters {
  private static final Pattern BETWEEN_WORDS =
      Pattern.compile("[-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);
  private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);

  private TextFilters() {}

  static void addTo(Map<String, Filters.Filter> all) {
    all.put("upper", (v, a) -> none(a, "upper", text(v).toUpperCase(Locale.ROOT)));
    all.put("lower", (v, a) -> none(a, "lower", text(v).toLowerCase(Locale.ROOT)));
    all.put("capitalize", (v, a) -> none(a, "capitalize", StringMethods.capitalize(text(v))));
    all.put("title", (v, a) -> none(a, "title", title(text(v))));
    all.put("string", (v, a) -> none(a, "string", text(v)));
    all.put("safe", (v, a) -> none(a, "safe", new Markup(PyText.str(v))));
    all.put("escape", (v, a) -> none(a, "escape", new Markup(escape(v))));
    all.put("e", all.get("escape"));
    all.put("forceescape", all.get("escape"));
    all.put("trim", TextFilters::trim);
    all.put("replace", TextFilters::replace);
    all.put("indent", TextFilters::indent);
    all.put("center", TextFilters::center);
    all.put("truncate", TextFilters::truncate);
    all.put("wordcount", (v, a) -> none(a, "wordcount", WORD.matcher(text(v)).results().count()));
    all.put("format", TextFilters::format);
    all.put("join", TextFilters::join);
  }

  private static Object none(Arguments arguments, String name, Object result) {
    arguments.bind(name, 0, new String[0]);
    return result;
  }

  private static String text(Object value) {
    PyOps.requireNoMarkup(value);
    return PyText.str(value);
  }

  private static String escape(Object value) {
    return value instanceof Markup markup
        ? markup.text()
        : PyText.str(value)
            .replace("&", "&amp;")
            .replace(">", "&gt;")
            .replace("<", "&lt;")
            .replace("'", "&#39;")
            .replace("\"", "&#34;");
  }

  private static String title(String text) {
    StringBuilder title = new StringBuilder();
    Matcher between = BETWEEN_WORDS.matcher(text);
    int from = 0;
    while (between.find()) {
      title.append(word(text.substring(from, between.start()))).append(between.group());
      from = between.end();
    }
    return title.append(word(text.substring(from))).toString();
  }

  private static String word(String word) {
    if (word.isEmpty()) {
      return word;
    }
    int first = word.offsetByCodePoints(0, 1);
    return word.substring(0, first).toUpperCase(Locale.ROOT)
        + word.substring(first).toLowerCase(Locale.ROOT);
  }

  private static Object trim(Object value, Arguments arguments) {
    Object chars = arguments.bind("trim", 0, new String[] {"chars"}, (Object) null)[0];
    String which = chars == null ? null : text(chars);
    return PyText.lstrip(PyText.rstrip(text(value), which), which);
  }

  private static Object replace(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind("replace", 2, new String[] {"old", "new", "count"}, (Object) null);
    long times = given[2] == null ? -1 : PyOps.integer(given[2]);
    return StringMethods.replace(text(value), text(given[0]), text(given[1]), times);
  }

  private static Object indent(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind("indent", 0, new String[] {"width", "first", "blank"}, 4L, false, false);
    String by = given[0] instanceof String text ? text : " ".repeat(width(given[0]));
    if (!(value instanceof String) && !(value instanceof Undefined)) {
      throw new JinjaException("indent needs a text, not a " + PyText.typeName(value));
    }
    if (value instanceof Undefined undefined) {
      throw undefined.fail();
    }
    List<Object> lines = Splits.lines(value + "\n", false);
    StringBuilder text = new StringBuilder(PyOps.truth(given[1]) ? by : "");
    text.append(lines.getFirst());
    for (Object line : lines.subList(1, lines.size())) {
      boolean blank = line.equals("") && !PyOps.truth(given[2]);
      text.append('\n').append(blank ? "" : by).append(line);
    }
    return text.toString();
  }

  private static int width(Object value) {
    return (int) Math.max(0, PyOps.integer(value));
  }

  private static Object center(Object value, Arguments arguments) {
    Object width = arguments.bind("center", 0, new String[] {"width"}, 80L)[0];
    return StringMethods.justified(text(value), "center", PyOps.integer(width), " ");
  }

  private static Object truncate(Object value, Arguments arguments) {
    Object[] given =
        arguments.bind(
            "truncate",
            0,
            new String[] {"length", "killwords", "end", "leeway"},
            255L,
            false,
            "...",
            null);
    if (!(value instanceof String text)) {
      throw JinjaException.unsupported("truncate of a " + PyText.typeName(value));
    }
    int length = (int) PyOps.integer(given[0]);
    String end = text(given[2]);
    int leeway = given[3] == null ? 5 : (int) PyOps.integer(given[3]);
    if (length < PyOps.length(end)) {
      throw new JinjaException("truncate cannot leave fewer characters than its end has");
    }
    if (PyOps.length(text) <= length + leeway) {
      return text;
    }
    String kept = Slices.of(text, 0, length - PyOps.length(end));
    if (!PyOps.truth(given[1])) {
      kept = (String) Splits.split(kept, " ", 1, true).getFirst();
    }
    return kept + end;
  }

  private static Object format(Object value, Arguments arguments) {
    if (!arguments.positional().isEmpty() && !arguments.named().isEmpty()) {
      throw new JinjaException("format takes arguments by position or by name, not both");
    }
    return PercentFormat.apply(
        text(value),
        arguments.named().isEmpty() ? Tuples.of(arguments.positional()) : arguments.named());
  }

  private static Object join(Object value, Arguments arguments) {
    Object[] given = arguments.bind("join", 0, new String[] {"d", "attribute"}, "", null);
    List<String> texts = new ArrayList<>();
    for (Object item : PyOps.list(value)) {
      Object part = given[1] == null ? item : SelectFilters.path(item, given[1], null);
      texts.add(PyText.str(part));
    }
    return String.join(PyText.str(given[0]), texts);
  }
}
