package io.gatun.cache;

import java.nio.file.Path;

/** A block file could not be given its disk space. Raised before any row was written. */
public final class DiskFullException extends GatunException {
  private static final long serialVersionUID = 1L;

  private final long neededBytes;
  private final long availableBytes;

  /** Space for {@code neededBytes} at {@code path} was asked for and not to be had. */
  public DiskFullException(Path path, long neededBytes, long availableBytes) {
    super(
        "disk full: %s needs %,d bytes, %,d are available; free some space or choose another folder"
            .formatted(path, neededBytes, availableBytes));
    this.neededBytes = neededBytes;
    this.availableBytes = availableBytes;
  }

  /** Bytes that were asked for. */
  public long neededBytes() {
    return neededBytes;
  }

  /** Bytes that the file system said it has. */
  public long availableBytes() {
    return availableBytes;
  }
}
