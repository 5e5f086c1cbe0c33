package io.gatun.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.bench.measure.Contest;
import io.gatun.bench.work.Heads;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The heap loops against Gatun: the same output, at sizes that fill no vector and no block. */
class HeapPeerTest {
  private static final Contest.Effort SHORT = new Contest.Effort(2, 1, 0);

  static Stream<Arguments> matches() {
    List<PeerProvider> heap =
        PeerProcess.providers().stream().filter(p -> p.name().startsWith("heap-")).toList();
    return Stream.of("8/1/80", "6/3/67", "5/1/64")
        .flatMap(heads -> heap.stream().map(peer -> Arguments.of(heads, peer)));
  }

  @ParameterizedTest
  @MethodSource("matches")
  void outputsAgree(String heads, PeerProvider peer) throws Exception {
    PeerWork.Size size = new PeerWork.Size(Heads.parse(heads), 1100, 1, 2);
    PeerRow row = PeerMatch.run(peer, size, SHORT, () -> {});
    assertThat(row.ran()).isTrue();
    assertThat(row.difference()).isBetween(0.0, 1e-5);
    assertThat(row.timesGatun().count()).isEqualTo(2);
  }

  @Test
  void aDifferenceIsFound() {
    assertThat(PeerMatch.difference(new float[] {1, -4}, new float[] {1, -4})).isZero();
    assertThat(PeerMatch.difference(new float[] {1, -4}, new float[] {1, -3})).isEqualTo(0.25);
    assertThat(PeerMatch.difference(new float[] {1, -4}, new float[] {Float.NaN, -4})).isNaN();
  }

  @Test
  void sizesAreCountedInLongs() {
    PeerWork.Size size = new PeerWork.Size(new Heads(32, 8, 128), 65_536, 20, 2);
    assertThat(size.layerFloats()).isEqualTo(67_108_864);
    assertThat(size.totalBytes()).isEqualTo(20L * 536_870_912);
  }

  @Test
  void aChildGetsOurFlagsAndItsOwnHeap() {
    PeerProvider peer = new HeapProvider.VectorByHead();
    PeerWork.Size size = new PeerWork.Size(new Heads(32, 8, 128), 4096, 17, 2);
    List<String> command = PeerProcess.command(peer, size, "{}");
    assertThat(command)
        .contains("--add-modules=jdk.incubator.vector", "-XX:+UseTransparentHugePages")
        .endsWith(PeerProcess.class.getName(), "{}");
    assertThat(command.stream().filter(flag -> flag.startsWith("-Xmx")).toList())
        .containsExactly("-Xmx1192m");
  }
}
