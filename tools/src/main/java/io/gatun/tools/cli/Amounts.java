package io.gatun.tools.cli;

import io.gatun.cache.GatunException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Numbers as people write them, besides the byte sizes of {@link Sizes}. Tokens:
 * {@code 4096}, {@code 100,000}, {@code 128k} = 128 x 1,024 = 131,072, {@code 1m} = 1,048,576.
 */
public final class Amounts {
  private static final Pattern AMOUNT =
      Pattern.compile("\\s*([0-9][0-9,_]*(?:\\.[0-9]+)?)\\s*([A-Za-z]*)\\s*");

  private Amounts() {}

  /**
   * Reads a count of tokens, at least 1.
   *
   * @throws GatunException if it is none
   */
  public static long tokens(String text) {
    Matcher m = AMOUNT.matcher(text);
    BigDecimal unit =
        !m.matches()
            ? null
            : switch (m.group(2).toLowerCase(Locale.ROOT)) {
              case "" -> BigDecimal.ONE;
              case "k", "ki" -> BigDecimal.valueOf(1L << 10);
              case "m", "mi" -> BigDecimal.valueOf(1L << 20);
              default -> null;
            };
    if (unit == null) {
      throw new GatunException(
          "'%s' is not a number of tokens, such as 4096, 100000 or 128k (= 131,072)"
              .formatted(text));
    }
    return whole(text, number(m).multiply(unit));
  }

  private static BigDecimal number(Matcher m) {
    return new BigDecimal(m.group(1).replace(",", "").replace("_", ""));
  }

  private static long whole(String text, BigDecimal value) {
    BigDecimal rounded = value.setScale(0, RoundingMode.DOWN);
    if (rounded.signum() == 0 || rounded.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
      throw new GatunException(
          "'%s' is %s tokens, not in 1 to %,d"
              .formatted(text, value.toPlainString(), Long.MAX_VALUE));
    }
    return rounded.longValueExact();
  }

  /** A number with its thousands apart: {@code 131,072}. */
  public static String grouped(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  /** A time in the unit that suits it: {@code 449 ms}. */
  public static String seconds(double seconds) {
    if (seconds >= 10) {
      return String.format(Locale.ROOT, "%.0f s", seconds);
    }
    if (seconds >= 1) {
      return String.format(Locale.ROOT, "%.2f s", seconds);
    }
    if (seconds >= 1e-3) {
      return String.format(Locale.ROOT, seconds >= 0.1 ? "%.0f ms" : "%.2f ms", seconds * 1e3);
    }
    return String.format(Locale.ROOT, "%.1f us", seconds * 1e6);
  }
}
