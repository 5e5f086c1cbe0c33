package io.gatun.bench.work;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import java.nio.file.Path;

/** Where the K/V of a measurement lies. */
public enum Storage {
  /** Memory of the process, in large pages where the system gives them. */
  ANONYMOUS,
  /** Mapped files without a name, in the page cache as far as it goes. */
  MAPPED;

  /**
   * An empty cache.
   *
   * @param folder where mapped files go
   */
  public KvCache open(KvLayout layout, Path folder) {
    KvCache.Builder builder =
        KvCache.builder(layout.shape())
            .types(layout.keyType(), layout.valueType())
            .blockTokens(layout.blockTokens());
    return (this == MAPPED ? builder.mappedIn(folder) : builder).build();
  }
}
