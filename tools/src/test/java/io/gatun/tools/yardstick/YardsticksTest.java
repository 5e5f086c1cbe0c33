package io.gatun.tools.yardstick;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.gatun.attention.Team;
import io.gatun.attention.code.MultiplyAdds;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class YardsticksTest {
  /** A read that left a byte out would show here: every byte changes the folded value. */
  @ParameterizedTest
  @ValueSource(ints = {1, 7, 8, 64, 511, 512, 513, 4096, 5003})
  void everyByteIsRead(int size) {
    byte[] bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    long expected = folded(bytes);
    assertThat(ReadCeiling.fold(MemorySegment.ofArray(bytes))).isEqualTo(expected);
    for (int i = 0; i < size; i += Math.max(1, size / 37)) {
      bytes[i] ^= 0x40;
      assertThat(ReadCeiling.fold(MemorySegment.ofArray(bytes))).isNotEqualTo(expected);
      bytes[i] ^= 0x40;
    }
  }

  private static long folded(byte[] bytes) {
    long folded = 0;
    for (int i = 0; i < bytes.length; i++) {
      folded ^= (bytes[i] & 0xffL) << 8 * (i & 7);
    }
    return folded;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void workersAllTakePartAndFailuresComeBack(int threads) {
    AtomicIntegerArray calls = new AtomicIntegerArray(threads);
    try (Workers workers = new Workers(threads)) {
      for (int turn = 0; turn < 200; turn++) {
        workers.run(calls::incrementAndGet);
      }
      for (int worker = 0; worker < threads; worker++) {
        assertThat(calls.get(worker)).isEqualTo(200);
      }
      if (threads > 1) {
        assertThatIllegalStateException()
            .isThrownBy(() ->
                workers.run(worker -> {
                  if (worker == 1) {
                    throw new IllegalArgumentException("on purpose");
                  }
                }))
            .withRootCauseInstanceOf(IllegalArgumentException.class);
        workers.run(calls::incrementAndGet);
        assertThat(calls.get(1)).isEqualTo(201);
      }
    }
  }

  @Test
  void ceilingsCountWhatTheyDo() {
    try (Workers workers = new Workers(2)) {
      ReadCeiling ceiling =
          new ReadCeiling(
              List.of(MemorySegment.ofArray(new byte[700_001]), MemorySegment.ofArray(new byte[3])),
              workers);
      ceiling.read();
      assertThat(ceiling.bytes()).isEqualTo(700_004);
      try (Team team = Team.of(3)) {
        new ReadCeiling(List.of(MemorySegment.ofArray(new byte[700_001])), team).read();
      }
      FmaPeak peak = new FmaPeak(workers, 3);
      peak.run();
      int lanes = jdk.incubator.vector.FloatVector.SPECIES_PREFERRED.length();
      int chains = MultiplyAdds.available(lanes) ? 16 : 12;
      assertThat(peak.operations()).isEqualTo(2.0 * chains * 20_000 * 6 * lanes);
    }
  }
}
