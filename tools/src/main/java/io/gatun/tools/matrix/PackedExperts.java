package io.gatun.tools.matrix;

import io.gatun.tools.safetensors.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Experts whose weights lie in one tensor each, inputs outermost, as gpt-oss has them. They stay
 * where they are mapped: nothing is turned around in memory.
 *
 * @param count experts
 * @param hidden width of their inputs and outputs
 * @param inner width of their hidden layers
 * @param gateUp {@code [count][hidden][2 * inner]}, gate and up in turns
 * @param gateUpBias f32 {@code [count][2 * inner]}
 * @param down {@code [count][inner][hidden]}
 * @param downBias f32 {@code [count][hidden]}
 */
public record PackedExperts(
    int count,
    int hidden,
    int inner,
    Tensor gateUp,
    MemorySegment gateUpBias,
    Tensor down,
    MemorySegment downBias) {
  /** The first projection of an expert. */
  public InputMajor gateUp(int expert) {
    return part(gateUp, gateUpBias, expert, hidden, 2 * inner);
  }

  /** The second projection of an expert. */
  public InputMajor down(int expert) {
    return part(down, downBias, expert, inner, hidden);
  }

  private static InputMajor part(
      Tensor tensor, MemorySegment bias, int expert, int inputs, int outputs) {
    WeightType type = WeightType.of(tensor.type());
    long bytes = inputs * type.rowBytes(outputs);
    return new InputMajor(
        type,
        inputs,
        outputs,
        tensor.data().asSlice(expert * bytes, bytes),
        bias.asSlice(4L * expert * outputs, 4L * outputs));
  }

  /** Bytes of one expert's weights. */
  public long expertBytes() {
    return (gateUp.data().byteSize() + down.data().byteSize()) / count;
  }
}
