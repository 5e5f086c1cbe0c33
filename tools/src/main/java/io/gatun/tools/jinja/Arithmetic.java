package io.gatun.tools.jinja;

import java.util.ArrayList;
import java.util.List;

/** Python's arithmetic. Whole numbers have 64 bits; beyond, it is refused. */
final class Arithmetic {
  private Arithmetic() {}

  static Object apply(String operator, Object a, Object b) {
    for (Object value : new Object[] {a, b}) {
      PyOps.requireNoMarkup(value);
    }
    // A text formats what stands behind '%', undefined values too.
    if (operator.equals("%") && a instanceof String format) {
      return PercentFormat.apply(format, b);
    }
    for (Object value : new Object[] {a, b}) {
      if (value instanceof Undefined undefined) {
        throw undefined.fail();
      }
    }
    try {
      if (PyOps.isNumber(a) && PyOps.isNumber(b)) {
        return numbers(operator, a, b);
      }
    } catch (ArithmeticException e) {
      throw JinjaException.unsupported("whole numbers beyond 64 bits");
    }
    Object result =
        switch (operator) {
          case "+" -> sum(a, b);
          case "*" -> isWhole(b) ? repeat(a, b) : isWhole(a) ? repeat(b, a) : null;
          default -> null;
        };
    if (result == null) {
      throw new JinjaException(
          "'%s' is not defined for a %s and a %s"
              .formatted(operator, PyText.typeName(a), PyText.typeName(b)));
    }
    return result;
  }

  private static boolean isWhole(Object value) {
    return value instanceof Long || value instanceof Boolean;
  }

  private static Object sum(Object a, Object b) {
    if (a instanceof String left && b instanceof String right) {
      return left + right;
    }
    if (a instanceof List<?> left && b instanceof List<?> right) {
      return joined(left, right);
    }
    if (a instanceof Tuple left && b instanceof Tuple right) {
      return Tuples.of(joined(left.items(), right.items()));
    }
    return null;
  }

  private static List<Object> joined(List<?> left, List<?> right) {
    List<Object> all = new ArrayList<>(left);
    all.addAll(right);
    return all;
  }

  private static Object repeat(Object value, Object times) {
    int count = (int) Math.min(Math.max(0, PyOps.integer(times)), 1 << 20);
    return switch (value) {
      case String text -> text.repeat(count);
      case List<?> list -> repeated(list, count);
      case Tuple tuple -> Tuples.of(repeated(tuple.items(), count));
      case null, default -> null;
    };
  }

  private static List<Object> repeated(List<?> items, int times) {
    List<Object> all = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      all.addAll(items);
    }
    return all;
  }

  private static Object numbers(String operator, Object a, Object b) {
    boolean whole = isWhole(a) && isWhole(b);
    if (operator.equals("/") || operator.equals("//") || operator.equals("%")) {
      if (PyOps.real(b) == 0) {
        throw new JinjaException("division by zero");
      }
    }
    if (operator.equals("/")) {
      return PyOps.real(a) / PyOps.real(b);
    }
    if (whole) {
      long x = PyOps.integer(a);
      long y = PyOps.integer(b);
      return switch (operator) {
        case "+" -> Math.addExact(x, y);
        case "-" -> Math.subtractExact(x, y);
        case "*" -> Math.multiplyExact(x, y);
        case "//" -> Math.floorDivExact(x, y);
        case "%" -> Math.floorMod(x, y);
        default -> power(x, y);
      };
    }
    double x = PyOps.real(a);
    double y = PyOps.real(b);
    return switch (operator) {
      case "+" -> x + y;
      case "-" -> x - y;
      case "*" -> x * y;
      case "//" -> Math.floor(x / y);
      case "%" -> {
        double rest = x % y;
        yield rest != 0 && rest < 0 != y < 0 ? rest + y : rest;
      }
      default -> {
        if (x < 0 && y != Math.rint(y)) {
          throw JinjaException.unsupported("complex numbers");
        }
        yield Math.pow(x, y);
      }
    };
  }

  private static Object power(long x, long y) {
    if (y < 0) {
      return Math.pow(x, y);
    }
    long result = 1;
    for (long i = 0; i < y; i++) {
      result = Math.multiplyExact(result, x);
      if (i > 64 && (result == 1 || result == 0)) {
        return result == 0 || y % 2 == 0 ? result : (Object) x;
      }
    }
    return result;
  }

  static Object sign(boolean minus, Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.fail();
    }
    if (!PyOps.isNumber(value)) {
      throw new JinjaException("a %s has no sign".formatted(PyText.typeName(value)));
    }
    if (value instanceof Double number) {
      return minus ? -number : number;
    }
    long number = PyOps.integer(value);
    return minus ? -number : number;
  }
}
