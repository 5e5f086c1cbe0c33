package io.gatun.bench.system;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the kernel says about this process, from {@code /proc/self/stat} and {@code
 * /proc/self/smaps_rollup}; zeros on systems that have no {@code /proc}.
 *
 * @param heapBytes used part of the Java heap after a collection
 * @param residentBytes memory of the process that is in RAM
 * @param fileBytes the part of it that lies in mapped files
 * @param minorFaults page faults so far that needed no read
 * @param majorFaults page faults so far that waited for the disk
 */
public record ProcessStatus(
    long heapBytes, long residentBytes, long fileBytes, long minorFaults, long majorFaults) {
  private static final Path PROC = Path.of("/proc/self");

  /** The status now. Collects garbage first, so that the heap figure means what is kept. */
  public static ProcessStatus now() {
    Runtime runtime = Runtime.getRuntime();
    System.gc();
    long heap = runtime.totalMemory() - runtime.freeMemory();
    if (!Files.isReadable(PROC.resolve("stat"))) {
      return new ProcessStatus(heap, 0, 0, 0, 0);
    }
    String rollup = read(PROC.resolve("smaps_rollup"));
    long resident = kilobytes(rollup, "Rss");
    long anonymous = kilobytes(rollup, "Anonymous");
    long[] faults = faults(read(PROC.resolve("stat")));
    return new ProcessStatus(heap, resident, resident - anonymous, faults[0], faults[1]);
  }

  /** Minor and major page faults so far, cheaply. */
  public static long[] faults() {
    return Files.isReadable(PROC.resolve("stat"))
        ? faults(read(PROC.resolve("stat")))
        : new long[2];
  }

  /** A figure of {@code /proc/meminfo} in bytes, for instance {@code MemAvailable}; 0 if unknown. */
  public static long memory(String name) {
    Path meminfo = Path.of("/proc/meminfo");
    return Files.isReadable(meminfo) ? kilobytes(read(meminfo), name) : 0;
  }

  /** Fields 10 and 12 of proc(5) stat, counted behind the name, which may hold blanks. */
  static long[] faults(String stat) {
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return new long[] {Long.parseLong(fields[7]), Long.parseLong(fields[9])};
  }

  /** The value of a line {@code Name:   123 kB}, in bytes; 0 if there is none. */
  static long kilobytes(String text, String name) {
    Matcher matcher =
        Pattern.compile("(?m)^" + Pattern.quote(name) + ":\\s+(\\d+) kB$").matcher(text);
    return matcher.find() ? Long.parseLong(matcher.group(1)) << 10 : 0;
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
