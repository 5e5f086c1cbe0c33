package io.gatun.store;

import io.gatun.cache.GatunException;

/**
 * A file of the store is proved damaged, absent or foreign: its bytes were read and do not fit, or
 * its folder does not name it.
 *
 * <p>Design note: only this exception lets rows be given up or a file be passed over. Whatever else
 * goes wrong while looking (too many open files, no permission, an I/O error) says nothing about the
 * file; it is thrown as an IOException and changes nothing on disk.
 */
class DamageException extends GatunException {
  private static final long serialVersionUID = 1L;

  /** Damage, with what was expected and found. */
  DamageException(String message) {
    super(message);
  }

  /** Damage, with what was expected and found, and how it showed. */
  DamageException(String message, Throwable cause) {
    super(message, cause);
  }
}
