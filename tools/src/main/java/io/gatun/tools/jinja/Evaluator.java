package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Computes expressions. */
final class Evaluator {
  private Evaluator() {}

  static Object value(Expr expr, Scope scope) {
    return switch (expr) {
      case Expr.Const constant -> constant.value();
      case Expr.Name name -> scope.get(name.name());
      case Expr.NamespaceTarget target ->
          throw new JinjaException(
              "%s.%s is no value here".formatted(target.name(), target.attribute()));
      case Expr.TupleOf tuple -> Tuples.of(values(tuple.items(), scope));
      case Expr.ListOf list -> values(list.items(), scope);
      case Expr.DictOf dict -> dict(dict, scope);
      case Expr.Attribute attribute -> {
        Object object = value(attribute.object(), scope);
        yield atLine(attribute.line(), () -> Attributes.attribute(object, attribute.name()));
      }
      case Expr.Item item -> item(item, scope);
      case Expr.Slice _ -> throw JinjaException.unsupported("a slice among several indices");
      case Expr.Call call -> call(call, scope, null);
      case Expr.Filter filter -> {
        Object value = value(filter.value(), scope);
        yield filter(filter, value, scope);
      }
      case Expr.Test test -> {
        Object value = value(test.value(), scope);
        Arguments arguments = arguments(test.args(), scope, null);
        yield atLine(test.line(), () -> Tests.holds(test.name(), value, arguments));
      }
      case Expr.Not not -> !PyOps.truth(value(not.value(), scope));
      case Expr.Sign sign -> {
        Object value = value(sign.value(), scope);
        yield atLine(sign.line(), () -> Arithmetic.sign(sign.minus(), value));
      }
      case Expr.Binary binary -> {
        Object left = value(binary.left(), scope);
        Object right = value(binary.right(), scope);
        yield atLine(binary.line(), () -> Arithmetic.apply(binary.operator(), left, right));
      }
      case Expr.Logic logic -> {
        Object left = value(logic.left(), scope);
        yield PyOps.truth(left) == logic.and() ? value(logic.right(), scope) : left;
      }
      case Expr.Compare compare -> compare(compare, scope);
      case Expr.Concat concat -> {
        StringBuilder text = new StringBuilder();
        for (Expr part : concat.parts()) {
          Object value = value(part, scope);
          PyOps.requireNoMarkup(value);
          text.append(PyText.str(value));
        }
        yield text.toString();
      }
      case Expr.Conditional conditional -> {
        if (PyOps.truth(value(conditional.test(), scope))) {
          yield value(conditional.then(), scope);
        }
        yield conditional.otherwise() == null
            ? new Undefined(
                "the 'if' without 'else' of line %d gives nothing".formatted(conditional.line()))
            : value(conditional.otherwise(), scope);
      }
    };
  }

  /** Something that is computed; what goes wrong is said with the line. */
  private interface Computed {
    Object value();
  }

  private static Object atLine(int line, Computed computed) {
    try {
      return computed.value();
    } catch (JinjaException e) {
      throw e.at(line);
    }
  }

  private static List<Object> values(List<Expr> items, Scope scope) {
    List<Object> values = new ArrayList<>();
    for (Expr item : items) {
      values.add(value(item, scope));
    }
    return values;
  }

  private static Object dict(Expr.DictOf dict, Scope scope) {
    Map<Object, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < dict.keys().size(); i++) {
      Object key = PyOps.key(value(dict.keys().get(i), scope));
      map.put(key, value(dict.values().get(i), scope));
    }
    return map;
  }

  private static Object item(Expr.Item item, Scope scope) {
    Object object = value(item.object(), scope);
    if (item.index() instanceof Expr.Slice slice) {
      Object from = slice.from() == null ? null : value(slice.from(), scope);
      Object to = slice.to() == null ? null : value(slice.to(), scope);
      Object step = slice.step() == null ? null : value(slice.step(), scope);
      return atLine(
          item.line(),
          () -> {
            if (object instanceof Undefined undefined) {
              throw undefined.fail();
            }
            PyOps.requireNoMarkup(object);
            Object part = Slices.slice(object, from, to, step);
            if (part == null) {
              throw JinjaException.unsupported("slices of a " + PyText.typeName(object));
            }
            return part;
          });
    }
    Object index = value(item.index(), scope);
    return atLine(item.line(), () -> Attributes.item(object, index));
  }

  private static Object compare(Expr.Compare compare, Scope scope) {
    Object left = value(compare.first(), scope);
    for (int i = 0; i < compare.operators().size(); i++) {
      String operator = compare.operators().get(i);
      Object a = left;
      Object b = value(compare.others().get(i), scope);
      if (!(Boolean) atLine(compare.line(), () -> PyOps.compare(operator, a, b))) {
        return false;
      }
      left = b;
    }
    return true;
  }

  static Object filter(Expr.Filter filter, Object value, Scope scope) {
    Arguments arguments = arguments(filter.args(), scope, null);
    return atLine(filter.line(), () -> Filters.apply(filter.name(), value, arguments));
  }

  /** Applies the filters of a block to what it gave. */
  static Object filters(Expr filters, Object value, Scope scope) {
    if (filters instanceof Expr.Filter filter) {
      Object before = filter.value() == null ? value : filters(filter.value(), value, scope);
      return filter(filter, before, scope);
    }
    return value;
  }

  /**
   * The result of a call.
   *
   * @param caller the body of a call block, or null
   */
  static Object call(Expr.Call call, Scope scope, Callable caller) {
    Object function = value(call.function(), scope);
    Arguments arguments = arguments(call.args(), scope, caller);
    return atLine(
        call.line(),
        () -> {
          if (function instanceof Undefined undefined) {
            throw undefined.fail();
          }
          if (!(function instanceof Callable callable)) {
            throw new JinjaException("a %s cannot be called".formatted(PyText.typeName(function)));
          }
          return callable.call(arguments);
        });
  }

  private static Arguments arguments(Expr.Args args, Scope scope, Callable caller) {
    if (args == Expr.Args.NONE && caller == null) {
      return Arguments.none();
    }
    List<Object> positional = values(args.positional(), scope);
    Map<String, Object> named = new LinkedHashMap<>();
    for (int i = 0; i < args.names().size(); i++) {
      if (named.containsKey(args.names().get(i))) {
        throw new JinjaException("the argument %s is given twice".formatted(args.names().get(i)));
      }
      named.put(args.names().get(i), value(args.named().get(i), scope));
    }
    if (args.morePositional() != null) {
      positional.addAll(PyOps.list(value(args.morePositional(), scope)));
    }
    if (args.moreNamed() != null) {
      if (!(value(args.moreNamed(), scope) instanceof Map<?, ?> more)) {
        throw new JinjaException("'**' needs a dict");
      }
      more.forEach((key, value) -> named.put(PyText.str(key), value));
    }
    if (caller != null) {
      named.put("caller", caller);
    }
    return new Arguments(positional, named);
  }
}
