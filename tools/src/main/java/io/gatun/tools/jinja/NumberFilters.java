package io.gatun.tools.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.regex.Pattern;

/** Filters that give numbers. */
final class NumberFilters {
  private static final Pattern INTEGER = Pattern.compile("[+-]?[0-9]+(?:_[0-9]+)*");
  private static final Pattern REAL =
      Pattern.compile("[+-]?(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?");

  private NumberFilters() {}

  static void addTo(Map<String, Filters.Filter> all) {
    all.put("int", NumberFilters::integer);
    all.put("float", NumberFilters::real);
    all.put("abs", NumberFilters::abs);
    all.put("round", NumberFilters::round);
  }

  private static Object integer(Object value, Arguments arguments) {
    Object[] given = arguments.bind("int", 0, new String[] {"default", "base"}, 0L, 10L);
    if (PyOps.integer(given[1]) != 10) {
      throw JinjaException.unsupported("the filter 'int' with a base");
    }
    return switch (value) {
      case Long _ -> value;
      case Boolean flag -> flag ? 1L : 0L;
      case Double number when !number.isNaN() && Math.abs(number) < 1L << 62 ->
          (long) (double) number;
      case Double number when number.isNaN() || number.isInfinite() -> given[0];
      case Double _ -> throw JinjaException.unsupported("whole numbers beyond 64 bits");
      case String text -> {
        String bare = PyText.lstrip(PyText.rstrip(text, null), null);
        if (INTEGER.matcher(bare).matches()) {
          yield parsed(bare.replace("_", ""));
        }
        yield REAL.matcher(bare).matches() ? (Object) (long) Double.parseDouble(bare) : given[0];
      }
      case Undefined undefined -> throw undefined.fail();
      case null, default -> given[0];
    };
  }

  private static Long parsed(String digits) {
    try {
      return Long.valueOf(digits);
    } catch (NumberFormatException e) {
      throw JinjaException.unsupported("whole numbers beyond 64 bits");
    }
  }

  private static Object real(Object value, Arguments arguments) {
    Object otherwise = arguments.bind("float", 0, new String[] {"default"}, 0.0)[0];
    if (value instanceof Undefined undefined) {
      throw undefined.fail();
    }
    if (PyOps.isNumber(value)) {
      return PyOps.real(value);
    }
    if (value instanceof String text) {
      String bare = PyText.lstrip(PyText.rstrip(text, null), null);
      if (REAL.matcher(bare).matches()) {
        return Double.valueOf(bare);
      }
      if (bare.matches("(?i)[+-]?(?:nan|inf|infinity)|.*[0-9]_[0-9].*")) {
        throw JinjaException.unsupported("the number '%s'".formatted(bare));
      }
    }
    return otherwise;
  }

  private static Object abs(Object value, Arguments arguments) {
    arguments.bind("abs", 0, new String[0]);
    if (!PyOps.isNumber(value)) {
      throw new JinjaException("abs needs a number, not a " + PyText.typeName(value));
    }
    return value instanceof Double number
        ? (Object) Math.abs(number)
        : (Object) Math.abs(PyOps.integer(value));
  }

  private static Object round(Object value, Arguments arguments) {
    Object[] given = arguments.bind("round", 0, new String[] {"precision", "method"}, 0L, "common");
    if (!PyOps.isNumber(value)) {
      throw new JinjaException("round needs a number, not a " + PyText.typeName(value));
    }
    int digits = (int) PyOps.integer(given[0]);
    if (!"common".equals(given[1])) {
      double scale = Math.pow(10, digits);
      double scaled = PyOps.real(value) * scale;
      if (!"ceil".equals(given[1]) && !"floor".equals(given[1])) {
        throw new JinjaException("round knows common, ceil and floor");
      }
      return ("ceil".equals(given[1]) ? Math.ceil(scaled) : Math.floor(scaled)) / scale;
    }
    if (value instanceof Double number) {
      return new BigDecimal(number).setScale(digits, RoundingMode.HALF_EVEN).doubleValue();
    }
    if (digits < 0) {
      throw JinjaException.unsupported("rounding of whole numbers to tens");
    }
    return PyOps.integer(value);
  }
}
