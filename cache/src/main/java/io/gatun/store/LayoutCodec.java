package io.gatun.store;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * A block layout in 28 bytes, little-endian.
 *
 * <pre>
 *    0  4  layers
 *    4  4  kvHeads
 *    8  4  keyDim
 *   12  4  valueDim
 *   16  4  blockTokens
 *   20  1  1 if the values lie in the keys, else 0
 *   21  1  code of the keys' element type
 *   22  1  code of the values' element type
 *   23  5  zero
 * </pre>
 */
final class LayoutCodec {
  private LayoutCodec() {}

  static void encode(KvLayout layout, ByteBuffer page, int at) {
    KvShape shape = layout.shape();
    page.putInt(at, shape.layers())
        .putInt(at + 4, shape.kvHeads())
        .putInt(at + 8, shape.keyDim())
        .putInt(at + 12, shape.valueDim())
        .putInt(at + 16, layout.blockTokens())
        .put(at + 20, (byte) (shape.valuesInKeys() ? 1 : 0))
        .put(at + 21, (byte) layout.keyType().code())
        .put(at + 22, (byte) layout.valueType().code());
  }

  static KvLayout decode(ByteBuffer page, int at, Path file) {
    try {
      KvShape shape =
          new KvShape(
              page.getInt(at),
              page.getInt(at + 4),
              page.getInt(at + 8),
              page.getInt(at + 12),
              page.get(at + 20) == 1);
      return new KvLayout(
          shape,
          KvType.ofCode(page.get(at + 21)),
          KvType.ofCode(page.get(at + 22)),
          page.getInt(at + 16));
    } catch (IllegalArgumentException | GatunException e) {
      throw new DamageException("%s: %s".formatted(file, e.getMessage()), e);
    }
  }
}
