package io.gatun.store;

import io.gatun.cache.GatunException;

/** A file was written by a newer version: refused, and never taken for damage. */
final class NewerFormatException extends GatunException {
  private static final long serialVersionUID = 1L;

  NewerFormatException(String message) {
    super(message);
  }
}
