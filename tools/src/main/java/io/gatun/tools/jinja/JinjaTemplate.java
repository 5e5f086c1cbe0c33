package io.gatun.tools.jinja;

import java.time.Clock;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A template, read once and rendered as often as wanted. Any thread. */
public final class JinjaTemplate {
  private final List<Stmt> body;

  private JinjaTemplate(List<Stmt> body) {
    this.body = body;
  }

  /**
   * Reads a template.
   *
   * @throws JinjaException if it is none or holds a tag that is not known here; names the line
   */
  public static JinjaTemplate of(String template) {
    return new JinjaTemplate(Parser.parse(template));
  }

  /**
   * The text that it gives.
   *
   * @param variables texts, booleans, whole numbers and doubles, null, lists and maps of these
   * @param clock what {@code strftime_now} reads
   * @throws RaisedException if the template itself refuses what it was given
   * @throws JinjaException if it does something that fails in Python too, or that Gatun cannot do
   */
  public String render(Map<String, ?> variables, Clock clock) {
    Scope globals = new Scope(null);
    Globals.addTo(globals, clock);
    variables.forEach((name, value) -> globals.set(name, given(value)));
    try {
      return Renderer.render(body, new Scope(globals));
    } catch (StackOverflowError e) {
      throw new JinjaException("the template's expressions are nested too deeply");
    }
  }

  /** A value of the caller as one of templates. */
  private static Object given(Object value) {
    return switch (value) {
      case Integer number -> (long) number;
      case Float number -> (double) number;
      case List<?> list -> {
        List<Object> items = new ArrayList<>();
        list.forEach(item -> items.add(given(item)));
        yield items;
      }
      case Map<?, ?> map -> {
        Map<Object, Object> pairs = new LinkedHashMap<>();
        map.forEach((key, item) -> pairs.put(key, given(item)));
        yield pairs;
      }
      case String _, Boolean _, Long _, Double _ -> value;
      case null -> null;
      default ->
          throw new IllegalArgumentException(
              "a template cannot be given a %s".formatted(value.getClass().getName()));
    };
  }
}
