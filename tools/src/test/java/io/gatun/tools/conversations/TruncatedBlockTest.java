package io.gatun.tools.conversations;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.attention.AttentionOptions;
import io.gatun.attention.GqaAttention;
import io.gatun.attention.Team;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Fingerprint;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Fault 7 of cache/RELIABILITY.md: another program cuts a block file short while a compiled kernel
 * reads it. In a process of its own, since the wrong answer is its death.
 */
class TruncatedBlockTest {
  @TempDir Path temp;

  /**
   * Decodes 20,000 times, has the file cut, between two calls or by another thread within one, and
   * decodes on. Arguments: store, type, when.
   */
  public static final class Victim {
    private Victim() {}

    /** Prints EXCEPTION and the exception's class, or SURVIVED. */
    public static void main(String[] args) throws IOException, InterruptedException {
      KvShape shape = new KvShape(1, 2, 64, 64);
      KvType type = KvType.ofLabel(args[1]);
      KvLayout layout = new KvLayout(shape, type, type, 1024);
      int tokens = 1000;
      Path folder = Path.of(args[0]);
      ConversationStore store = ConversationStore.open(folder);
      try (Arena arena = Arena.ofConfined()) {
        try (Conversation talk = store.openOrCreate("talk", Fingerprint.of("x"), layout)) {
          talk.accept(new int[tokens], 0, tokens);
          MemorySegment rows = arena.allocate(ValueLayout.JAVA_FLOAT, tokens * 128L);
          Random random = new Random(1);
          for (int i = 0; i < tokens * 128; i++) {
            rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
          }
          talk.cache().append(0, rows, rows, tokens);
          talk.cache().advance(tokens);
        }
        Path block;
        try (Stream<Path> files = Files.walk(folder.resolve("blocks"))) {
          block = files.filter(file -> file.toString().endsWith(".kv")).findFirst().orElseThrow();
        }
        Conversation talk = store.openOrCreate("talk", Fingerprint.of("x"), layout);
        Team team = Team.of(1);
        GqaAttention attention = GqaAttention.create(layout, AttentionOptions.of(8, 64), team);
        MemorySegment q = arena.allocate(ValueLayout.JAVA_FLOAT, 512);
        MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, 512);
        q.fill((byte) 0x3c);
        for (int i = 0; i < 20_000; i++) {
          attention.decode(talk.cache().live(), 0, q, out);
        }
        Thread knife = Thread.ofPlatform().unstarted(() -> cut(block));
        knife.start();
        try {
          if (args[2].equals("between")) {
            knife.join();
          }
          for (int i = 0; i < 1_000 || knife.isAlive(); i++) {
            attention.decode(talk.cache().live(), 0, q, out);
          }
          for (int i = 0; i < 1_000; i++) {
            attention.decode(talk.cache().live(), 0, q, out);
          }
          System.out.println("SURVIVED");
        } catch (InternalError e) {
          System.out.println("EXCEPTION " + e.getClass().getSimpleName());
        }
      }
      // The conversation's file is gone: nothing is left to close in order.
      Runtime.getRuntime().halt(0);
    }
  }

  private static void cut(Path block) {
    try (RandomAccessFile file = new RandomAccessFile(block.toFile(), "rw")) {
      file.setLength(4096 + 8192);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Element type, vector width, and when the file is cut: three in every build, all under the Maven profile fault. */
  static List<String> kernels() {
    return Boolean.getBoolean("gatun.fault")
        ? Stream.of("f32", "bf16", "f16", "q8", "q4")
            .flatMap(type -> Stream.of(type + ",3", type + ",2"))
            .flatMap(kernel -> Stream.of(kernel + ",between", kernel + ",within"))
            .toList()
        : List.of("f32,3,between", "bf16,3,within", "bf16,2,within", "q8,3,within");
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void aBlockCutShortUnderAHotKernelIsAnException(String kernel)
      throws IOException, InterruptedException {
    String type = kernel.split(",")[0];
    String avx = kernel.split(",")[1];
    String when = kernel.split(",")[2];
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:UseAVX=" + avx,
            "-XX:ErrorFile=" + temp.resolve("hs_err.log"),
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
            "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
            "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
            "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            Victim.class.getName(),
            temp.resolve("store").toString(),
            type,
            when);
    Process victim =
        new ProcessBuilder(command).redirectError(temp.resolve("stderr").toFile()).start();
    String said = new String(victim.getInputStream().readAllBytes());
    assertThat(victim.waitFor())
        .as("%s%n%s", said, Files.readString(temp.resolve("stderr")))
        .isZero();
    assertThat(said).contains("EXCEPTION InternalError");
    assertThat(temp.resolve("hs_err.log")).doesNotExist();
    System.out.printf("TruncatedBlockTest: %s, UseAVX=%s, %s: %s", type, avx, when, said);
  }
}
