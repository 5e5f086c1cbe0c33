package io.gatun.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringWriter;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What README shows is what compiles and runs. */
class ReadmeTest {
  private static final Path README = Path.of("..", "README.md");
  private static final Pattern JAVA_BLOCK = Pattern.compile("```java\\n(.*?)```", Pattern.DOTALL);

  @Test
  void theApiExampleCompilesAndRuns(@TempDir Path folder) throws Exception {
    Matcher block = JAVA_BLOCK.matcher(Files.readString(README));
    assertThat(block.find()).as("README has a Java example").isTrue();
    String example = block.group(1);
    assertThat(example.strip().lines().count()).as("lines of the example").isLessThanOrEqualTo(15);
    String source =
        """
        import io.gatun.attention.*;
        import io.gatun.cache.*;
        import java.lang.foreign.*;
        public class Example {
          static void project(int token, int layer, MemorySegment q, MemorySegment k, MemorySegment v) {
            q.asSlice(0, 4).set(ValueLayout.JAVA_FLOAT, 0, token);
            k.asSlice(0, 4).set(ValueLayout.JAVA_FLOAT, 0, layer);
            v.asSlice(0, 4).set(ValueLayout.JAVA_FLOAT, 0, token);
          }
          public static String run() {
        %s
            return cache.length() + " tokens, " + out.get(ValueLayout.JAVA_FLOAT, 0);
            }
          }
        }
        """
            .formatted(example.replaceAll("}\\s*$", ""));
    Path file = folder.resolve("Example.java");
    Files.writeString(file, source);
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter log = new StringWriter();
    List<String> options =
        List.of("-d", folder.toString(), "-cp", System.getProperty("java.class.path"));
    try (var files = compiler.getStandardFileManager(null, null, null)) {
      boolean compiled =
          compiler.getTask(log, files, null, options, null, files.getJavaFileObjects(file)).call();
      assertThat(compiled).as(log + "\n" + source).isTrue();
    }
    try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
      Object said = loader.loadClass("Example").getMethod("run").invoke(null);
      assertThat(said).asString().matches("\\d+ tokens, -?\\d+\\.\\d+(E-?\\d+)?");
    }
  }
}
