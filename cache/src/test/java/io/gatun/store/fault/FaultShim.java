package io.gatun.store.fault;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes system calls of this process fail, see {@code src/test/c/faults.c}. Only calls about files of
 * one folder count, and only while it is armed. Once it is there it stays, and no child process lives
 * under it: so it belongs in a JVM of its own.
 */
@SuppressWarnings("restricted") // native calls are what this class is for
final class FaultShim {
  private static final Path SOURCE = Path.of("src", "test", "c", "faults.c");

  /** Stands for a call of any kind. */
  static final String ANY = "any";

  private final MethodHandle watch;
  private final MethodHandle arm;
  private final MethodHandle disarm;
  private final MethodHandle count;
  private final MethodHandle injected;
  private final MethodHandle last;
  private final List<String> kinds = new ArrayList<>();

  /** Loads it and puts it over all threads. */
  FaultShim(Path library) {
    SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
    watch = find(symbols, "faults_watch", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    arm =
        find(
            symbols,
            "faults_arm",
            FunctionDescriptor.ofVoid(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT));
    disarm = find(symbols, "faults_disarm", FunctionDescriptor.ofVoid());
    FunctionDescriptor number = FunctionDescriptor.of(ValueLayout.JAVA_LONG);
    count =
        find(
            symbols,
            "faults_count",
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    injected = find(symbols, "faults_injected", number);
    last = find(symbols, "faults_last", FunctionDescriptor.of(ValueLayout.ADDRESS));
    FunctionDescriptor code = FunctionDescriptor.of(ValueLayout.JAVA_INT);
    MethodHandle howMany = find(symbols, "faults_kinds", code);
    MethodHandle name =
        find(
            symbols,
            "faults_name",
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    MethodHandle install = find(symbols, "faults_install", code);
    try {
      int known = (int) howMany.invokeExact();
      for (int kind = 0; kind < known; kind++) {
        kinds.add(text((MemorySegment) name.invokeExact(kind)));
      }
      int error = (int) install.invokeExact();
      if (error != 0) {
        throw new IllegalStateException("no seccomp filter to be had: error " + error);
      }
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Compiles it into a folder; needs {@code cc}. */
  static Path compile(Path folder) throws IOException {
    Files.createDirectories(folder);
    Path library = folder.resolve("libfaults.so").toAbsolutePath();
    Faults.run(
        "cc",
        "-O1",
        "-Wall",
        "-shared",
        "-fPIC",
        "-Wl,-z,now",
        "-o",
        library.toString(),
        SOURCE.toString());
    return library;
  }

  /** Whether it was written for this machine. */
  static boolean fits() {
    return System.getProperty("os.name").equals("Linux")
        && System.getProperty("os.arch").equals("amd64");
  }

  private static MethodHandle find(SymbolLookup symbols, String name, FunctionDescriptor type) {
    return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), type);
  }

  /** The kinds of calls that it knows. */
  List<String> kinds() {
    return List.copyOf(kinds);
  }

  /** Names the folder whose files count. */
  void watch(Path folder) {
    try (Arena arena = Arena.ofConfined()) {
      watch.invokeExact(arena.allocateFrom(folder + "/"));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Counts calls from now on, and fails none. */
  void count() {
    arm(-1, 0, 0, 0);
  }

  /** Counts calls from now on, and fails what the fault says. */
  void arm(CallFault fault) {
    int kind = fault.call().equals(ANY) ? kinds.size() : kinds.indexOf(fault.call());
    if (kind < 0) {
      throw new IllegalArgumentException("no such call: " + fault.call());
    }
    arm(kind, fault.k(), fault.error().number(), fault.form().ordinal());
  }

  private void arm(int kind, long k, int error, int form) {
    try {
      arm.invokeExact(kind, k, error, form);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Lets all calls through again, uncounted. */
  void disarm() {
    try {
      disarm.invokeExact();
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Calls since it was armed, by kind. */
  Map<String, Long> counts() {
    Map<String, Long> counts = new LinkedHashMap<>();
    try {
      for (int kind = 0; kind < kinds.size(); kind++) {
        counts.put(kinds.get(kind), (long) count.invokeExact(kind));
      }
      counts.put(ANY, (long) count.invokeExact(kinds.size()));
    } catch (Throwable e) {
      throw unexpected(e);
    }
    return counts;
  }

  /** Calls that it failed since it was armed. */
  long injected() {
    try {
      return (long) injected.invokeExact();
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** The call that it failed first, and the file. */
  String last() {
    try {
      return text((MemorySegment) last.invokeExact());
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  private static String text(MemorySegment address) {
    return address.reinterpret(2048).getString(0);
  }

  private static RuntimeException unexpected(Throwable e) {
    return e instanceof RuntimeException runtime ? runtime : new IllegalStateException(e);
  }
}
