package io.gatun.tools.cli;

import io.gatun.cache.GatunException;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes as people read and write them: binary units, one rule for all commands. */
public final class Sizes {
  private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  private static final Pattern SIZE =
      Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([kKmMgGtTpPeE]?)(i?)([bB]?)");

  private Sizes() {}

  /** {@code 1536} is {@code 1.50 KiB}. */
  public static String human(long bytes) {
    int unit = 0;
    double value = bytes;
    while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
      value /= 1024;
      unit++;
    }
    return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.2f %s", value, UNITS[unit]);
  }

  /**
   * Reads {@code 4096}, {@code 24GiB}, {@code 24g}, {@code 1.5 MiB} (powers of 1,024) and {@code
   * 80GB} (powers of 1,000: a capital-B unit without the i).
   *
   * @throws GatunException if it is none of these
   */
  public static long parse(String text) {
    Matcher matcher = SIZE.matcher(text.strip());
    if (!matcher.matches()) {
      throw new GatunException(
          "'%s' is not a size; write 4096, 512MiB, 24GiB or 80GB".formatted(text));
    }
    int power =
        matcher.group(2).isEmpty()
            ? 0
            : "KMGTPE".indexOf(matcher.group(2).toUpperCase(Locale.ROOT)) + 1;
    boolean decimal = matcher.group(3).isEmpty() && matcher.group(4).equals("B");
    double bytes = Double.parseDouble(matcher.group(1)) * Math.pow(decimal ? 1000 : 1024, power);
    if (bytes >= Long.MAX_VALUE) {
      throw new GatunException("'%s' is more than 2^63 bytes".formatted(text));
    }
    return (long) bytes;
  }
}
