package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A macro, or the body of a call block: called with arguments, gives what it prints. */
final class Macro implements Callable {
  private final Renderer renderer;
  private final String name;
  private final Stmt.Signature signature;
  private final List<Stmt> body;
  private final Scope around;
  private final boolean takesMore;
  private final boolean takesNamed;
  private final boolean takesCaller;

  Macro(Renderer renderer, String name, Stmt.Signature signature, List<Stmt> body, Scope around) {
    this.renderer = renderer;
    this.name = name;
    this.signature = signature;
    this.body = body;
    this.around = around;
    this.takesMore = Mentions.name(body, "varargs");
    this.takesNamed = Mentions.name(body, "kwargs");
    this.takesCaller = Mentions.name(body, "caller");
  }

  @Override
  public Object call(Arguments arguments) {
    List<String> names = signature.names();
    List<Object> positional = arguments.positional();
    Map<String, Object> named = new LinkedHashMap<>(arguments.named());
    Scope scope = new Scope(around);
    int withoutDefault = names.size() - signature.defaults().size();
    for (int i = 0; i < names.size(); i++) {
      String parameter = names.get(i);
      if (i < positional.size()) {
        scope.set(parameter, positional.get(i));
      } else if (named.containsKey(parameter)) {
        scope.set(parameter, named.remove(parameter));
      } else if (i >= withoutDefault) {
        Expr otherwise = signature.defaults().get(i - withoutDefault);
        scope.set(parameter, Evaluator.value(otherwise, scope));
      } else {
        scope.set(parameter, new Undefined("parameter '%s' was not provided".formatted(parameter)));
      }
    }
    if (takesCaller && !names.contains("caller")) {
      Object caller = named.remove("caller");
      scope.set("caller", caller == null ? new Undefined("No caller defined") : caller);
    }
    if (takesNamed) {
      scope.set("kwargs", new LinkedHashMap<Object, Object>(named));
    } else if (!named.isEmpty()) {
      throw new JinjaException(
          "macro '%s' takes no argument named '%s'"
              .formatted(name, named.keySet().iterator().next()));
    }
    int more = Math.min(names.size(), positional.size());
    if (takesMore) {
      List<Object> rest = new ArrayList<>(positional.subList(more, positional.size()));
      scope.set("varargs", Tuples.of(rest));
    } else if (positional.size() > names.size()) {
      throw new JinjaException(
          "macro '%s' takes at most %d arguments, not %d"
              .formatted(name, names.size(), positional.size()));
    }
    return renderer.captured(body, scope);
  }
}
