package io.gatun.store;

import io.gatun.cache.GatunException;

/**
 * Writing to disk failed, and what the operating system still says about the files cannot be
 * believed any more (a second sync of lost pages reports success). The handle that it happened on
 * refuses everything from then on; close it and open the conversation again, which recovers the last
 * state that is known to be on disk.
 */
public final class StoreFailedException extends GatunException {
  private static final long serialVersionUID = 1L;

  StoreFailedException(String message, Throwable cause) {
    super(message, cause);
  }
}
