package io.gatun.bench.peers;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.bench.measure.Contest;
import io.gatun.bench.peer.PeerMatch;
import io.gatun.bench.peer.PeerProcess;
import io.gatun.bench.peer.PeerProvider;
import io.gatun.bench.peer.PeerRow;
import io.gatun.bench.peer.PeerWork;
import io.gatun.bench.work.Heads;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The libraries against Gatun at small shapes: they load here, and the outputs agree. */
class PeersTest {
  private static final Contest.Effort SHORT = new Contest.Effort(2, 1, 0);

  @ParameterizedTest
  @ValueSource(strings = {"onnxruntime", "onnxruntime-int8", "libtorch", "jlama"})
  void outputsAgree(String name) throws Exception {
    PeerProvider peer =
        PeerProcess.providers().stream().filter(p -> p.name().equals(name)).findFirst().get();
    for (String heads : List.of("8/2/64", "4/4/64", "8/1/128")) {
      PeerWork.Size size = new PeerWork.Size(Heads.parse(heads), 1300, 2, 2);
      PeerRow row = PeerMatch.run(peer, size, SHORT, () -> {});
      assertThat(row.ran()).isTrue();
      assertThat(row.difference()).as("%s %s", name, heads).isLessThan(peer.tolerance() / 2);
    }
  }

  @Test
  void protobufNumbersAreVarints() {
    assertThat(new ProtoWriter().number(1, 300).toBytes()).containsExactly(0x08, 0xac, 0x02);
    assertThat(new ProtoWriter().number(1, -1).toBytes())
        .containsExactly(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    assertThat(new ProtoWriter().number(20, 0).toBytes()).containsExactly(0xa0, 0x01, 0x00);
  }

  @Test
  void protobufFloatsStringsAndMessages() {
    assertThat(new ProtoWriter().number(2, 1f).toBytes())
        .containsExactly(0x15, 0x00, 0x00, 0x80, 0x3f);
    assertThat(new ProtoWriter().text(2, "testing").toBytes())
        .containsExactly(0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g');
    assertThat(new ProtoWriter().message(3, new ProtoWriter().number(1, 150)).toBytes())
        .containsExactly(0x1a, 0x03, 0x08, 0x96, 0x01);
  }

  @Test
  void theModelNamesItsOperator() {
    PeerWork.Size size = new PeerWork.Size(new Heads(8, 2, 64), 100, 1, 1);
    String plain = new String(GqaModel.bytes(size, false), StandardCharsets.ISO_8859_1);
    assertThat(plain).contains("GroupQueryAttention", "com.microsoft", "past_key", "num_heads");
    assertThat(plain).doesNotContain("k_scale");
    String int8 = new String(GqaModel.bytes(size, true), StandardCharsets.ISO_8859_1);
    assertThat(int8).contains("k_scale", "PER_TENSOR", "kv_cache_bit_width");
  }
}
