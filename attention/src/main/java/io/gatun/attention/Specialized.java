package io.gatun.attention;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup;
import java.lang.invoke.MethodType;
import java.util.HashMap;
import java.util.Map;

/**
 * Makes copies of a kernel class, one for each row format: hidden classes from the same bytes, to
 * which {@link #format} gives their format as a constant.
 *
 * <p>Design note: a Vector API loop is fast only if the compiler sees every type test in it as a
 * constant, no call in it has two targets, and the inner loops have a known number of rounds; a dot
 * product of 128 dims took 10 to 16 ns with the width in a field and takes 6 with a constant. That
 * asks for one class per element type and width. Copies made here keep the source in one place, and
 * each copy has a profile and compiled code of its own. A copy is never unloaded; there are as many
 * as a process has row formats.
 */
final class Specialized {
  private static final Map<Key, Lookup> COPIES = new HashMap<>();

  private record Key(Class<?> template, RowFormat format) {}

  private Specialized() {}

  /** The format that the class of {@code lookup} was copied for. */
  static RowFormat format(Lookup lookup) {
    try {
      return MethodHandles.classData(lookup, "_", RowFormat.class);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException("class data of " + lookup, e);
    }
  }

  /** An instance of a copy of {@code template}, which has a constructor without arguments. */
  static <T> T create(Class<? extends T> template, Class<T> type, RowFormat format) {
    Lookup copy;
    synchronized (COPIES) {
      copy = COPIES.computeIfAbsent(new Key(template, format), Specialized::copy);
    }
    try {
      return type.cast(
          copy.findConstructor(copy.lookupClass(), MethodType.methodType(void.class)).invoke());
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("cannot create " + copy.lookupClass(), e);
    }
  }

  private static Lookup copy(Key key) {
    Class<?> template = key.template();
    try (InputStream in = template.getResourceAsStream(template.getSimpleName() + ".class")) {
      if (in == null) {
        throw new IllegalStateException("the class file of " + template + " is not to be had");
      }
      return MethodHandles.lookup()
          .defineHiddenClassWithClassData(in.readAllBytes(), key.format(), true);
    } catch (IOException | IllegalAccessException e) {
      throw new IllegalStateException(
          "cannot specialise %s for %s".formatted(template, key.format()), e);
    }
  }
}
