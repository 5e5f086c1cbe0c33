package io.gatun.tools.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code 'text' % values}. */
final class PercentFormat {
  private static final Pattern PLACE =
      Pattern.compile("%(?:\\((\\w+)\\))?([-0+ #]*)(\\d*)(?:\\.(\\d+))?(.?)", Pattern.DOTALL);

  private PercentFormat() {}

  static String apply(String format, Object values) {
    List<Object> list = values instanceof Tuple tuple ? tuple.items() : null;
    int used = 0;
    StringBuilder text = new StringBuilder();
    Matcher place = PLACE.matcher(format);
    int from = 0;
    while (place.find(from)) {
      text.append(format, from, place.start());
      from = place.end();
      if (place.group(5).equals("%")) {
        text.append('%');
        continue;
      }
      Object value;
      if (place.group(1) != null) {
        if (!(values instanceof Map<?, ?> map) || !map.containsKey(place.group(1))) {
          throw new JinjaException("there is no value for %%(%s)".formatted(place.group(1)));
        }
        value = map.get(place.group(1));
        used = -1;
      } else {
        if (list == null ? used > 0 : used >= list.size()) {
          throw new JinjaException("there are more places than values for '%'");
        }
        value = list == null ? values : list.get(used);
        used++;
      }
      text.append(padded(place, one(place, value), value));
    }
    boolean allUsed =
        used < 0 || values instanceof Map || (list == null ? used == 1 : used == list.size());
    if (!allUsed) {
      throw new JinjaException("there are more values than places for '%'");
    }
    return text.append(format, from, format.length()).toString();
  }

  private static String one(Matcher place, Object value) {
    if (place.group(2).matches(".*[ #].*")) {
      throw JinjaException.unsupported("the format '%s'".formatted(place.group()));
    }
    String precision = place.group(4);
    String kind = place.group(5);
    switch (kind) {
      case "s", "r" -> {
        String text = kind.equals("s") ? PyText.str(value) : PyText.repr(value);
        return precision == null ? text : Slices.of(text, 0, Integer.parseInt(precision));
      }
      case "d", "i", "u", "f" -> {
        if (value instanceof Undefined undefined) {
          throw undefined.fail();
        }
        if (!PyOps.isNumber(value)) {
          throw new JinjaException(
              "%%%s needs a number, not a %s".formatted(kind, PyText.typeName(value)));
        }
        int digits = kind.equals("f") ? precision == null ? 6 : Integer.parseInt(precision) : 0;
        RoundingMode rounding = kind.equals("f") ? RoundingMode.HALF_EVEN : RoundingMode.DOWN;
        BigDecimal exact =
            value instanceof Double number
                ? new BigDecimal(number)
                : BigDecimal.valueOf(PyOps.integer(value));
        String text = exact.setScale(digits, rounding).toPlainString();
        boolean plus = place.group(2).contains("+") && !text.startsWith("-");
        return plus ? "+" + text : text;
      }
      default -> throw JinjaException.unsupported("the format '%s'".formatted(place.group()));
    }
  }

  private static String padded(Matcher place, String text, Object value) {
    int width = place.group(3).isEmpty() ? 0 : Integer.parseInt(place.group(3));
    int missing = width - text.codePointCount(0, text.length());
    if (missing <= 0) {
      return text;
    }
    if (place.group(2).contains("-")) {
      return text + " ".repeat(missing);
    }
    if (place.group(2).contains("0") && PyOps.isNumber(value) && !place.group(5).equals("s")) {
      boolean signed = text.startsWith("-") || text.startsWith("+");
      String sign = signed ? text.substring(0, 1) : "";
      return sign + "0".repeat(missing) + text.substring(sign.length());
    }
    return " ".repeat(missing) + text;
  }
}
