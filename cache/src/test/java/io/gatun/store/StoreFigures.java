package io.gatun.store;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;

/**
 * Measures a store at the shape of an 8B model: 32 layers, 8 KV heads, 128 dims, BF16, 128 KiB of K/V
 * a token. Not a test; cache/RELIABILITY.md says how to run it. Arguments: what, folder, ...
 *
 * <pre>
 *   make DIR TOKENS...      conversations of so many tokens: the longest is written, others forked
 *   reopen DIR TOKENS       time and bytes read to open one; drop the page cache before
 *   commit DIR              time and bytes of commits, by tokens per commit
 *   fork DIR AT TIMES       time to fork the longest conversation
 *   many DIR N              N small conversations of 128 tokens
 *   looks DIR               time to list them, open one, search a prefix, commit after a rollback
 * </pre>
 */
final class StoreFigures {
  private static final Fingerprint MODEL = Fingerprint.of("figures");
  private static final KvLayout LAYOUT = KvLayout.of(new KvShape(32, 8, 128, 128), KvType.BF16);

  private StoreFigures() {}

  /** Runs one measurement. */
  public static void main(String[] args) throws IOException {
    Path folder = Path.of(args[1]);
    switch (args[0]) {
      case "make" ->
          make(folder, Arrays.stream(args).skip(2).mapToInt(Integer::parseInt).toArray());
      case "reopen" -> reopen(folder, args[2]);
      case "commit" -> commit(folder);
      case "fork" -> fork(folder, Integer.parseInt(args[2]), Integer.parseInt(args[3]));
      case "many" -> many(folder, Integer.parseInt(args[2]));
      case "looks" -> looks(folder);
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  private static void many(Path folder, int count) {
    ConversationStore store = ConversationStore.open(folder);
    for (int i = 0; i < count; i++) {
      try (Conversation talk = store.openOrCreate("c%05d".formatted(i), MODEL, Rows.layout())) {
        Rows.accept(talk, 128, i);
        Rows.prefill(talk);
      }
    }
  }

  /** Each look twice in this process: the first interprets most of its code. */
  private static void looks(Path folder) {
    ConversationStore store = ConversationStore.open(folder);
    for (int round = 0; round < 2; round++) {
      time("list", () -> System.out.printf("%,d conversations%n", store.list().size()));
      time("info", () -> store.info("c00001"));
      int id = round;
      time("open", () -> store.openOrCreate("c0000" + id, MODEL, Rows.layout()).close());
      int[] prompt = new Random(7).ints(128, 0, 50_000).toArray();
      String fork = "fork" + System.nanoTime();
      time(
          "open a new one with a known beginning of 128 tokens",
          () -> store.openOrCreate(fork, MODEL, Rows.layout(), prompt).close());
      store.delete(fork);
    }
    try (Conversation talk = store.openOrCreate("c00003", MODEL, Rows.layout())) {
      for (int round = 0; round < 20; round++) {
        if (round % 2 == 1) {
          talk.truncate(60);
        }
        Rows.accept(talk, 70, round);
        Rows.prefill(talk);
        time(round % 2 == 1 ? "commit after a rollback" : "commit", talk::commit);
      }
    }
  }

  private static void time(String what, Runnable look) {
    long start = System.nanoTime();
    look.run();
    System.out.printf("%s: %.1f ms%n", what, (System.nanoTime() - start) / 1e6);
  }

  private static void append(Conversation talk, int tokens, MemorySegment rows, Random random) {
    talk.accept(random.ints(tokens, 0, 128_000).toArray(), 0, tokens);
    KvCache cache = talk.cache();
    for (int layer = 0; layer < 32; layer++) {
      cache.append(layer, rows, rows, tokens);
    }
    cache.advance(tokens);
  }

  private static MemorySegment rows(int tokens, Arena arena) {
    MemorySegment rows = arena.allocate(ValueLayout.JAVA_FLOAT, tokens * 8L * 128);
    Random random = new Random(1);
    for (long i = 0; i < rows.byteSize() / 4; i++) {
      rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return rows;
  }

  private static void make(Path folder, int... lengths) {
    int longest = Arrays.stream(lengths).max().orElseThrow();
    ConversationStore store = ConversationStore.open(folder);
    try (Arena arena = Arena.ofConfined();
        Conversation talk = store.openOrCreate("t" + longest, MODEL, LAYOUT)) {
      MemorySegment rows = rows(512, arena);
      Random random = new Random(2);
      while (talk.tokens().count() < longest) {
        append(talk, Math.min(512, longest - talk.tokens().count()), rows, random);
        talk.commit();
      }
    }
    for (int length : lengths) {
      if (length < longest) {
        store.fork("t" + longest, "t" + length, length);
      }
    }
  }

  private static void reopen(Path folder, String tokens) throws IOException {
    // Classes are loaded and compiled by somebody else's opening, as in a process that lives.
    Path other = Files.createTempDirectory("gatun-figures-");
    for (int i = 0; i < 20; i++) {
      ConversationStore.open(other).openOrCreate("warm", MODEL, LAYOUT).close();
    }
    long readBefore = io("read_bytes");
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long cpuBefore = threads.getCurrentThreadCpuTime();
    long start = System.nanoTime();
    try (Conversation talk =
        ConversationStore.open(folder).openOrCreate("t" + tokens, MODEL, LAYOUT)) {
      double open = (System.nanoTime() - start) / 1e6;
      double cpu = (threads.getCurrentThreadCpuTime() - cpuBefore) / 1e6;
      long read = io("read_bytes") - readBefore;
      long first = System.nanoTime();
      double sum = 0;
      for (int run = 0; run < talk.cache().live().runs(); run++) {
        // One row of the first layer of each block, where attention begins.
        sum += talk.cache().live().keys(run).get(KvType.LE_SHORT, LAYOUT.keyOffset(0, 0, 0));
      }
      double touch = (System.nanoTime() - first) / 1e6;
      System.out.printf(
          "reopen of %,d tokens, %.1f GiB: %.1f ms (%.1f ms on the processor in this thread), %,d"
              + " bytes read; first touch of %d blocks %.1f ms (%s)%n",
          talk.tokens().count(),
          talk.cache().length() * LAYOUT.bytesPerToken() / (double) (1 << 30),
          open,
          cpu,
          read,
          talk.cache().live().runs(),
          touch,
          Double.isNaN(sum) ? "nan" : "ok");
    }
  }

  private static void commit(Path folder) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment rows = rows(512, arena);
      for (int tokens : new int[] {1, 8, 32, 128, 512}) {
        ConversationStore store = ConversationStore.open(folder);
        int commits = Math.clamp(2048 / tokens, 8, 64);
        double[] millis = new double[commits];
        try (Conversation talk = store.openOrCreate("c" + tokens, MODEL, LAYOUT)) {
          Random random = new Random(3);
          append(talk, tokens, rows, random);
          talk.commit();
          long counted = store.stats().bytesWritten();
          long written = io("write_bytes");
          for (int i = 0; i < commits; i++) {
            append(talk, tokens, rows, random);
            long start = System.nanoTime();
            talk.commit();
            millis[i] = (System.nanoTime() - start) / 1e6;
          }
          double kv = (double) commits * tokens * LAYOUT.bytesPerToken();
          Arrays.sort(millis);
          System.out.printf(
              "commit every %d tokens: median %.2f ms, 90th percentile %.2f ms; bytes written per"
                  + " K/V byte %.3f by our count, %.3f by the kernel's; %d commits%n",
              tokens,
              millis[commits / 2],
              millis[commits * 9 / 10],
              (store.stats().bytesWritten() - counted) / kv,
              (io("write_bytes") - written) / kv,
              commits);
        }
        store.delete("c" + tokens);
      }
    }
  }

  private static void fork(Path folder, int at, int times) throws IOException {
    ConversationStore store = ConversationStore.open(folder);
    String source =
        store.list().stream().filter(info -> info.tokens() >= at).findFirst().get().id();
    double[] millis = new double[times];
    for (int i = 0; i < times; i++) {
      long start = System.nanoTime();
      store.fork(source, "fork" + i, at);
      millis[i] = (System.nanoTime() - start) / 1e6;
    }
    System.out.printf("fork at %,d tokens: first %.1f ms", at, millis[0]);
    Arrays.sort(millis);
    System.out.printf(
        ", median %.1f ms, largest %.1f ms; creating and forcing an empty file, median %.2f ms%n",
        millis[times / 2], millis[times - 1], emptyFile(folder, times));
    for (int i = 0; i < times; i++) {
      store.delete("fork" + i);
    }
  }

  /** Median of the time that the disk takes for the least that can be forced, in ms. */
  private static double emptyFile(Path folder, int times) throws IOException {
    double[] millis = new double[times];
    for (int i = 0; i < times; i++) {
      Path file = folder.resolve("empty" + i);
      long start = System.nanoTime();
      try (FileChannel channel =
          FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        channel.force(true);
      }
      millis[i] = (System.nanoTime() - start) / 1e6;
      Files.delete(file);
    }
    Arrays.sort(millis);
    return millis[times / 2];
  }

  private static long io(String name) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/io")).stream()
        .filter(line -> line.startsWith(name + ":"))
        .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1).strip()))
        .sum();
  }
}
