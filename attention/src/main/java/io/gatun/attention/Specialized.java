package io.gatun.attention;

import io.gatun.cache.KvType;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup;
import java.lang.invoke.MethodType;

/**
 * Makes a copy of a kernel class for one element type: a hidden class from the same bytes, whose
 * static {@code TYPE} is that type.
 *
 * <p>Design note: a Vector API loop is fast only if the compiler sees every type test in it as a
 * constant and no call in it has two targets. That asks for one class per element type. Copies made
 * here keep the source in one place, and each copy has a profile and compiled code of its own.
 */
final class Specialized {
  private Specialized() {}

  /** The type that the class of {@code lookup} was copied for; null in the original. */
  static KvType type(Lookup lookup) {
    try {
      return MethodHandles.classData(lookup, "_", KvType.class);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException("class data of " + lookup, e);
    }
  }

  /** A copy of {@code template}, which has a constructor with the arguments of {@link
   * Copy#create}. */
  static Copy copy(Class<?> template, KvType type) {
    try (InputStream in = template.getResourceAsStream(template.getSimpleName() + ".class")) {
      if (in == null) {
        throw new IllegalStateException("the class file of " + template + " is not to be had");
      }
      Lookup copy =
          MethodHandles.lookup()
              .defineHiddenClassWithClassData(
                  in.readAllBytes(), type, true, Lookup.ClassOption.NESTMATE);
      return new Copy(copy);
    } catch (IOException | IllegalAccessException e) {
      throw new IllegalStateException("cannot specialise %s for %s".formatted(template, type), e);
    }
  }

  /** A copied class. */
  record Copy(Lookup lookup) {
    /** An instance for rows of {@code dim} values that begin {@code rowBytes} apart. */
    Object create(int dim, int rowBytes) {
      try {
        return lookup
            .findConstructor(
                lookup.lookupClass(), MethodType.methodType(void.class, int.class, int.class))
            .invoke(dim, rowBytes);
      } catch (RuntimeException | Error e) {
        throw e;
      } catch (Throwable e) {
        throw new IllegalStateException("cannot create " + lookup.lookupClass(), e);
      }
    }
  }
}
