package io.gatun.tools.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.plan.CacheCost;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The planner is right for published shapes, or says why it does not know. */
class PublishedShapesTest {
  private static final long TOKENS = 131_072;

  @TempDir Path folder;

  static List<Shapes.Shape> shapes() {
    return Shapes.all();
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void theBytesAreThoseOfTheArchitecture(Shapes.Shape shape) throws IOException {
    if (shape.refused()) {
      assertThatThrownBy(() -> Shapes.read(folder, shape.config()))
          .isInstanceOf(GatunException.class);
      return;
    }
    CacheCost cost = CacheCost.of(Shapes.read(folder, shape.config()), KvType.BF16, 1);
    assertThat(cost.bytesPerToken()).isEqualTo(shape.perToken());
    assertThat(cost.bytesAt(TOKENS)).isEqualTo(shape.at131072());
  }

  /** The cases that stand outside of the repository, where they are there. */
  @Test
  void theSharedCases() throws IOException {
    Path cases = sharedCases();
    if (cases == null) {
      System.err.println(
          "SKIPPED: PublishedShapesTest.theSharedCases, there is no shared/cases/plan above this"
              + " folder");
      return;
    }
    List<String> wrong = new ArrayList<>();
    List<String> lines = Files.readAllLines(cases.resolve("expected.csv"));
    for (String line : lines.subList(1, lines.size())) {
      String[] fields = line.split(",", -1);
      String found;
      try {
        CacheCost cost =
            CacheCost.of(ModelCacheReader.read(cases.resolve(fields[0])), KvType.BF16, 1);
        found = cost.bytesPerToken() + "," + cost.bytesAt(TOKENS);
      } catch (GatunException e) {
        found = ",";
      }
      if (!found.equals(fields[2] + "," + fields[3])) {
        wrong.add(line + ": " + found);
      }
    }
    assertThat(lines).hasSizeGreaterThan(10);
    assertThat(wrong).isEmpty();
  }

  private static Path sharedCases() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path cases = at.resolve("shared/cases/plan");
      if (Files.isDirectory(cases)) {
        return cases;
      }
    }
    return null;
  }
}
