package io.gatun.bench.jmh;

import io.gatun.bench.work.Heads;
import io.gatun.bench.work.RandomRows;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvType;
import io.gatun.store.Conversation;
import io.gatun.store.ConversationStore;
import io.gatun.store.Fingerprint;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Opening a stored conversation, and committing a turn, in a store of their own. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
    value = 1,
    jvmArgsAppend = {
      JvmFlags.VECTOR,
      JvmFlags.NATIVE,
      JvmFlags.UNSAFE,
      JvmFlags.REFLECT,
      JvmFlags.CHANNELS,
      JvmFlags.REFS,
      JvmFlags.MISC,
      "-Xmx256m"
    })
public class StoreBenchmark {
  private static final Fingerprint MODEL = Fingerprint.of("gatun bench");
  private static final String OPENED = "opened";
  private static final String WRITTEN = "written";

  /** Element type of K and V. */
  @Param("BF16")
  public KvType type;

  /** numHeads/numKvHeads/headDim. */
  @Param("32/8/128")
  public String heads;

  /** Layers. */
  @Param("4")
  public int layers;

  /** Tokens of the conversation that is opened. */
  @Param({"1024", "16384"})
  public int context;

  /** Tokens that are written before each commit. */
  @Param({"1", "64"})
  public int turn;

  private Path folder;
  private KvLayout layout;
  private ConversationStore store;
  private RandomRows rows;
  private Conversation writer;

  /** Stores a conversation to be opened. */
  @Setup(Level.Trial)
  public void setUp() throws IOException {
    folder = Files.createTempDirectory("gatun-bench-store");
    layout = KvLayout.of(Heads.parse(heads).shape(layers), type);
    store = ConversationStore.open(folder.resolve("store"));
    rows = new RandomRows(1);
    try (Conversation conversation = store.openOrCreate(OPENED, MODEL, layout)) {
      write(conversation, context);
    }
    writer = store.openOrCreate(WRITTEN, MODEL, layout);
  }

  private void write(Conversation conversation, int tokens) {
    conversation.accept(new int[tokens], 0, tokens);
    rows.fill(conversation.cache(), conversation.cache().length() + tokens, added -> {});
    conversation.commit();
  }

  /** Opens, reads the first row's first value, closes. */
  @Benchmark
  public float open() {
    try (Conversation conversation = store.openOrCreate(OPENED, MODEL, layout)) {
      MemorySegment keys = conversation.cache().live().keys(0);
      return keys.get(KvType.LE_SHORT, 0);
    }
  }

  /** Accepts, appends and commits one turn. A conversation that is long begins anew. */
  @Benchmark
  public void commit() {
    if (writer.cache().length() >= context) {
      writer.truncate(0);
    }
    write(writer, turn);
  }

  /** Deletes the store. */
  @TearDown(Level.Trial)
  public void tearDown() throws IOException {
    writer.close();
    store.close();
    rows.close();
    try (var files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
