package io.gatun.attention;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.lang.foreign.MemorySegment;
import java.text.MessageFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Run in a JVM without {@code --add-modules jdk.incubator.vector}. */
@Tag("without-vectors")
class WithoutVectorsTest {
  @Test
  void runsInPlainJavaAndSaysSoOnce() {
    assertThat(ModuleLayer.boot().findModule("jdk.incubator.vector")).isEmpty();
    List<String> warnings = new ArrayList<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            warnings.add(MessageFormat.format(record.getMessage(), record.getParameters()));
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger logger = Logger.getLogger("io.gatun.attention");
    logger.addHandler(handler);
    for (int i = 0; i < 2; i++) {
      try (Team team = Team.of(2);
          Fixture f = new Fixture(1, new KvShape(1, 2, 64, 64), KvType.BF16, KvType.BF16, 64, 8)) {
        f.append(300);
        MemorySegment q = f.queries(2);
        MemorySegment out = f.outputs(2);
        try (GqaAttention attention = GqaAttention.create(f.layout(), f.options, team)) {
          assertThat(attention.kernelDescription()).isEqualTo("plain Java");
          attention.prefill(f.cache.live(), 0, 2, q, out);
          double[] expected = ReferenceAttention.attend(f.cache.live(), 0, f.options, 2, q);
          assertThat(Fixture.error(expected, out)).isLessThan(4e-6);
        }
      }
    }
    assertThat(warnings).singleElement().asString().contains("--add-modules jdk.incubator.vector");
  }
}
