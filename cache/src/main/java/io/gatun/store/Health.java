package io.gatun.store;

/** Whether a handle's files can still be believed. The first failure is for good. Any thread. */
final class Health {
  private final String subject;
  private volatile Throwable failure;
  private volatile String step;

  /** Of a handle that messages call {@code subject}. */
  Health(String subject) {
    this.subject = subject;
  }

  /** Notes a failure; the first one stays. */
  synchronized StoreFailedException fail(String failedStep, Throwable cause) {
    if (failure == null) {
      step = failedStep;
      failure = cause;
    }
    return exception();
  }

  /** Refuses to go on after a failure. */
  void check() {
    if (failure != null) {
      throw exception();
    }
  }

  boolean failed() {
    return failure != null;
  }

  private StoreFailedException exception() {
    return new StoreFailedException(
        "%s: %s failed (%s); nothing more is written through this handle. Close it and open the"
                .formatted(subject, step, reason())
            + " conversation again: it goes on from its last commit",
        failure);
  }

  private String reason() {
    String message = failure.getMessage();
    return message == null ? failure.getClass().getSimpleName() : message;
  }
}
