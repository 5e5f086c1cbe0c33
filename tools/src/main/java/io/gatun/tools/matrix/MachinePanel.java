package io.gatun.tools.matrix;

import io.gatun.attention.code.Call;
import io.gatun.attention.code.Floats;
import io.gatun.attention.code.LaneSums;
import io.gatun.attention.code.PanelCode;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** A panel in machine code: the same bits as {@link VectorPanel} with 16 lanes. */
final class MachinePanel implements PanelKernel {
  private static final int LANES = 16;

  private final PanelKernel inJava = new VectorPanel();
  private final PanelCode code = PanelCode.of(ROW * Float.BYTES, (int) Activations.ROW_BYTES);

  private final LaneSums laneSums = LaneSums.get();

  /** What a thread calls with. */
  private final ThreadLocal<Call> calls = ThreadLocal.withInitial(Call::new);

  /** Whether it can be used in this process. */
  static boolean available() {
    return Lanes.COUNT == LANES && PanelCode.available();
  }

  @Override
  public int lanes() {
    return LANES;
  }

  @Override
  public void accumulate(
      Floats panel, int groups, MemorySegment x, long xAt, int tokens, int cols, Floats store) {
    if (cols == 0) {
      return;
    }
    int tiles = Math.ceilDiv(tokens, Activations.TILE);
    Objects.checkFromIndexSize(0, groups * GROUP * ROW, panel.array().length);
    if (cols > ROW || cols % LANES != 0) {
      throw new IllegalArgumentException(cols + " columns of a block");
    }
    Objects.checkFromIndexSize(
        xAt,
        (tiles * Activations.TILE - 1) * Activations.ROW_BYTES + (long) cols * Float.BYTES,
        x.byteSize());
    Objects.checkFromIndexSize(0, storeSize(groups, tokens), store.array().length);
    code.run(calls.get(), panel.memory(), groups, x, xAt, tiles, cols, store.memory());
  }

  @Override
  public void sums(Floats store, int groups, int tokens) {
    int size = storeSize(groups, tokens);
    Objects.checkFromIndexSize(0, size, store.array().length);
    laneSums.run(calls.get(), size / (TILE_SUMS * LANES), store.memory());
  }

  @Override
  public float sum(float[] store, int at) {
    return inJava.sum(store, at);
  }
}
