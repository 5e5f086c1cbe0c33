package io.gatun.bench.jmh;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.openjdk.jmh.annotations.Fork;

class JvmFlagsTest {
  @ParameterizedTest
  @ValueSource(
      classes = {
        DecodeBenchmark.class,
        PrefillBenchmark.class,
        AppendBenchmark.class,
        StoreBenchmark.class
      })
  void forksRunWithTheFlagsOfEverybody(Class<?> benchmark) throws IOException {
    Path file = Path.of("..", ".mvn", "gatun.jvmargs");
    List<String> flags = Files.readAllLines(file).stream().filter(l -> !l.isBlank()).toList();
    Fork fork = benchmark.getAnnotation(Fork.class);
    assertThat(Stream.of(fork.jvmArgsAppend())).containsAll(flags).contains("-Xmx256m");
  }

  @Test
  void theBenchmarksWereGenerated() throws IOException {
    String list =
        new String(
            getClass().getResourceAsStream("/META-INF/BenchmarkList").readAllBytes(),
            StandardCharsets.UTF_8);
    assertThat(list)
        .contains("DecodeBenchmark", "PrefillBenchmark", "AppendBenchmark", "StoreBenchmark");
  }
}
