package io.gatun.tools.plan;

import io.gatun.cache.GatunException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Numbers as people write them.
 *
 * <p>Tokens: {@code 4096}, {@code 100,000}, {@code 128k} = 128 x 1,024 = 131,072, {@code 1m} =
 * 1,048,576. Bytes: {@code GiB} (also {@code G}) counts in powers of 1,024, {@code GB} in powers of
 * 1,000.
 */
public final class Amounts {
  private static final Pattern AMOUNT =
      Pattern.compile("\\s*([0-9][0-9,_]*(?:\\.[0-9]+)?)\\s*([A-Za-z]*)(?:/s)?\\s*");
  private static final String[] BINARY = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

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
    return whole(text, number(m).multiply(unit), "tokens");
  }

  /**
   * Reads a number of bytes, at least 1: {@code 24GiB}, {@code 80GB}, {@code 512MiB}, {@code 4096}.
   *
   * @throws GatunException if it is none
   */
  public static long bytes(String text) {
    Matcher m = AMOUNT.matcher(text);
    BigDecimal unit = m.matches() ? byteUnit(m.group(2)) : null;
    if (unit == null) {
      throw new GatunException(
          "'%s' is not a number of bytes, such as 24GiB (powers of 1,024) or 80GB (powers of 1,000)"
              .formatted(text));
    }
    return whole(text, number(m).multiply(unit), "bytes");
  }

  private static BigDecimal byteUnit(String unit) {
    String letter = unit.toLowerCase(Locale.ROOT);
    if (letter.isEmpty() || letter.equals("b")) {
      return BigDecimal.ONE;
    }
    int power = "kmgtp".indexOf(letter.charAt(0)) + 1;
    if (power == 0) {
      return null;
    }
    return switch (letter.substring(1)) {
      case "", "i", "ib" -> BigDecimal.valueOf(1024).pow(power);
      case "b" -> BigDecimal.valueOf(1000).pow(power);
      default -> null;
    };
  }

  private static BigDecimal number(Matcher m) {
    return new BigDecimal(m.group(1).replace(",", "").replace("_", ""));
  }

  private static long whole(String text, BigDecimal value, String unit) {
    BigDecimal rounded = value.setScale(0, RoundingMode.DOWN);
    if (rounded.signum() == 0 || rounded.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
      throw new GatunException(
          "'%s' is %s %s, not in 1 to %,d"
              .formatted(text, value.toPlainString(), unit, Long.MAX_VALUE));
    }
    return rounded.longValueExact();
  }

  /** Bytes in the largest unit of 1,024 that leaves at least 1: {@code 16.0 GiB}. */
  public static String human(long bytes) {
    double value = bytes;
    int unit = 0;
    // 1023.95 would print as 1024.0.
    while (value >= 1023.95 && unit < BINARY.length - 1) {
      value /= 1024;
      unit++;
    }
    if (unit == 0) {
      return bytes + " bytes";
    }
    // Below 10 a second digit tells 1.25 from 1.3.
    String digits = value < 10 ? "%.2f" : "%.1f";
    return (digits + " %s").formatted(value, BINARY[unit]);
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
