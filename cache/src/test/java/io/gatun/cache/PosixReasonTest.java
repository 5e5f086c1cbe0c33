package io.gatun.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Error numbers are told in words. */
class PosixReasonTest {
  @TempDir Path temp;

  @BeforeEach
  void needNativeCalls() {
    if (!Posix.AVAILABLE) {
      System.err.println("SKIPPED: PosixReasonTest: there are no native calls here");
      Assumptions.abort("there are no native calls here");
    }
  }

  @Test
  void everyNumberHasWords() {
    for (int errno = 1; errno <= 133; errno++) {
      assertThat(Posix.reason(errno)).matches(".*\\p{L}{3,}.* \\(errno " + errno + "\\)");
    }
    assertThat(Posix.reason(27)).isNotEqualTo(Posix.reason(28));
  }

  @Test
  void aFileThatCannotBeSoLargeIsRefusedInWords() {
    Path file = temp.resolve("block");
    Throwable refused =
        catchThrowable(() -> BlockMemory.createPreallocated(file, Long.MAX_VALUE - 4095));
    if (refused instanceof DiskFullException) {
      System.err.println("SKIPPED: PosixReasonTest: a file may be of any size here");
      Assumptions.abort("a file may be of any size here");
    }
    assertThat(refused)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("9,223,372,036,854,771,712 bytes")
        .hasMessageMatching("(?s).*: \\p{L}.*\\(errno [0-9]+\\)");
    assertThat(file).doesNotExist();
  }
}
