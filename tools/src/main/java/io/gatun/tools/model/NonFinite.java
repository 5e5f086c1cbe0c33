package io.gatun.tools.model;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.safetensors.Checkpoint;
import io.gatun.tools.safetensors.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Looks for weights that are infinite or not a number. Computed with, they would surface far from
 * where they are: as a key, or as logits without an order; and the F16 kernel reads their exponent
 * as a number (see F16Rows).
 */
final class NonFinite {
  private NonFinite() {}

  /**
   * Refuses a stretch of a tensor that holds such a value.
   *
   * @param bytes of the tensor, from byte {@code from} on
   * @throws GatunException that names the tensor and the element
   */
  static void refuse(Tensor tensor, MemorySegment bytes, long from) {
    String found = find(tensor, bytes, from);
    if (found != null) {
      throw new GatunException(found);
    }
  }

  /** What the first such value of some tensors is; null if there is none. */
  static String first(Checkpoint checkpoint, Set<String> names) {
    for (Tensor tensor : checkpoint.tensors().values()) {
      String found = names.contains(tensor.name()) ? find(tensor, tensor.data(), 0) : null;
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  private static String find(Tensor tensor, MemorySegment bytes, long from) {
    long index =
        switch (tensor.type()) {
          case F32 -> wide(bytes);
          case F16 -> narrow(bytes, 0x7c00);
          case BF16 -> narrow(bytes, 0x7f80);
          default -> -1;
        };
    if (index < 0) {
      return null;
    }
    int width = tensor.type().bytes();
    float value = tensor.type().value(bytes, index * width);
    return "tensor %s in %s holds %s (element %d, at %s); download the model again"
        .formatted(
            tensor.name(),
            tensor.file(),
            Float.isNaN(value) ? "NaN" : "an infinity",
            from / width + index,
            place(tensor, from / width + index));
  }

  /** The indices of an element, by the tensor's extents. */
  private static List<Long> place(Tensor tensor, long element) {
    List<Long> place = new ArrayList<>();
    long rest = element;
    for (long extent : tensor.spec().shape().reversed()) {
      place.addFirst(rest % extent);
      rest /= extent;
    }
    return place;
  }

  private static long wide(MemorySegment bytes) {
    for (long i = 0; i < bytes.byteSize() / 4; i++) {
      if (!Float.isFinite(bytes.get(KvType.LE_FLOAT, 4 * i))) {
        return i;
      }
    }
    return -1;
  }

  private static long narrow(MemorySegment bytes, int exponent) {
    for (long i = 0; i < bytes.byteSize() / 2; i++) {
      if ((bytes.get(KvType.LE_SHORT, 2 * i) & exponent) == exponent) {
        return i;
      }
    }
    return -1;
  }
}
