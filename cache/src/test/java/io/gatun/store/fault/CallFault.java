package io.gatun.store.fault;

import java.util.List;
import java.util.Locale;

/**
 * One system call that is to fail: the {@code k}-th of a kind.
 *
 * @param call its kind as {@link FaultShim} names it, {@link FaultShim#ANY} for a call of any kind
 * @param k counted from 1
 */
record CallFault(String call, long k, Error error, Form form) {

  /** What the system says. */
  enum Error {
    /** I/O error. */
    EIO(5),
    /** No memory, or no more maps. */
    ENOMEM(12),
    /** No permission. */
    EACCES(13),
    /** Too many open files. */
    EMFILE(24),
    /** No space left on device. */
    ENOSPC(28);

    private final int number;

    Error(int number) {
      this.number = number;
    }

    int number() {
      return number;
    }
  }

  /** How it fails; the order is that of the shim. */
  enum Form {
    /** It does nothing. */
    BEFORE,
    /** It does what it should, and says that it failed. */
    AFTER,
    /** It does nothing, and so do all of its kind that follow. */
    FROM
  }

  private static final List<Error> USUAL =
      List.of(Error.EIO, Error.ENOSPC, Error.EMFILE, Error.EACCES);

  /** The errors to try with a kind of call. */
  static List<Error> errors(String call) {
    return switch (call) {
      // Of a lock EACCES says that another process has it: no failure, but half a minute's wait.
      case "lock" -> List.of(Error.EIO, Error.ENOSPC, Error.EMFILE);
      case "mmap" -> List.of(Error.EIO, Error.ENOMEM, Error.EMFILE, Error.EACCES);
      case FaultShim.ANY -> List.of(Error.EIO, Error.EMFILE);
      default -> USUAL;
    };
  }

  /** The forms to try with a kind of call. */
  static List<Form> forms(String call) {
    return switch (call) {
      // The descriptor is given back whatever close says, so there is no failing before.
      case "close" -> List.of(Form.AFTER);
      // The shim would have to undo it: the same as before.
      case "lock" -> List.of(Form.BEFORE, Form.FROM);
      case FaultShim.ANY -> List.of(Form.FROM);
      default -> List.of(Form.values());
    };
  }

  /** Reads what {@link #toString} wrote. */
  static CallFault parse(String text) {
    String[] words = text.split(":");
    return new CallFault(
        words[0],
        Long.parseLong(words[1]),
        Error.valueOf(words[2]),
        Form.valueOf(words[3].toUpperCase(Locale.ROOT)));
  }

  @Override
  public String toString() {
    return "%s:%d:%s:%s".formatted(call, k, error, form.name().toLowerCase(Locale.ROOT));
  }
}
