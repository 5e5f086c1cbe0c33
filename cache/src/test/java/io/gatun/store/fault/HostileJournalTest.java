package io.gatun.store.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.store.Conversation;
import io.gatun.store.ConversationInfo;
import io.gatun.store.ConversationStore;
import io.gatun.store.Rows;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Journals with sound checksums that claim too much, at 64 MB of heap. */
class HostileJournalTest {
  @TempDir Path temp;
  private Path folder;

  @BeforeEach
  void make() {
    folder = temp.resolve("store");
    ConversationStore store = ConversationStore.open(folder);
    for (String id : new String[] {"bad", "good"}) {
      try (Conversation talk = store.openOrCreate(id, Workload.MODEL, Rows.layout())) {
        Rows.accept(talk, 100, 1);
        Rows.prefill(talk);
      }
    }
  }

  /** Lists a store, verifies, collects; prints a line for each conversation. */
  static final class Lister {
    public static void main(String[] args) {
      ConversationStore store = ConversationStore.open(Path.of(args[0]));
      for (ConversationInfo info : store.list()) {
        System.out.printf(
            "%s %d %s%n",
            info.id(), info.committedTokens(), info.damage() == null ? "" : "DAMAGED");
      }
      System.out.println("gc " + store.gc(false).removed().size());
      System.out.println("stats " + store.stats().conversations());
    }
  }

  private List<String> listedAt64MiB() throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(Faults.java(Lister.class, folder.toString()));
    command.removeIf(flag -> flag.startsWith("-Xmx"));
    command.add(1, "-Xmx64m");
    Path errors = temp.resolve("stderr");
    Process process = Faults.start(command, errors);
    List<String> out;
    try (BufferedReader lines = Faults.lines(process)) {
      out = lines.lines().toList();
    }
    assertThat(process.waitFor()).as(Files.readString(errors)).isZero();
    return out;
  }

  /** Appends a record with the right checksum to the journal of "bad". */
  private void append(ByteBuffer payload) throws IOException {
    Path journal = folder.resolve("conversations/bad/journal");
    try (RandomAccessFile file = new RandomAccessFile(journal.toFile(), "rw")) {
      byte[] all = new byte[(int) file.length()];
      file.readFully(all);
      ByteBuffer records = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
      int at = 4096;
      int before = records.getInt(124);
      for (int length; (length = records.getInt(at)) != 0; at += 8 + length) {
        before = records.getInt(at + 4);
      }
      byte[] bytes = payload.array();
      CRC32C crc = new CRC32C();
      ByteBuffer front = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      crc.update(front.putInt(before).putInt(bytes.length).array());
      crc.update(bytes);
      ByteBuffer record = ByteBuffer.allocate(8 + bytes.length).order(ByteOrder.LITTLE_ENDIAN);
      record.putInt(bytes.length).putInt((int) crc.getValue()).put(bytes);
      file.seek(at);
      file.write(record.array());
    }
  }

  /** A commit of as many runs as its 15 MiB can hold, if they are believed. */
  @Test
  void aHugeNumberOfRunsCostsTheConversationAlone() throws Exception {
    ByteBuffer payload = ByteBuffer.allocate(15 << 20);
    payload.put((byte) 2).put((byte) 1).put((byte) 0).put((byte) 0);
    payload.put(new byte[] {(byte) 0xff, (byte) 0xff, (byte) 0xff, 0x03});
    append(payload);
    assertThat(listedAt64MiB())
        .anyMatch(line -> line.startsWith("bad 100 DAMAGED"))
        .anyMatch(line -> line.startsWith("good 100 "))
        .contains("gc 0", "stats 2");
  }

  /** One run with as many checksums as the record has bytes. */
  @Test
  void aHugeNumberOfChecksumsCostsTheConversationAlone() throws Exception {
    ByteBuffer payload = ByteBuffer.allocate(15 << 20).order(ByteOrder.LITTLE_ENDIAN);
    payload.put((byte) 2).put((byte) 1).put((byte) 0).put((byte) 0).put((byte) 1);
    payload.putLong(1).put((byte) 1).put((byte) 0);
    payload.put(new byte[] {(byte) 0xff, (byte) 0xff, (byte) 0xff, 0x03});
    append(payload);
    assertThat(listedAt64MiB())
        .anyMatch(line -> line.startsWith("bad 100 DAMAGED"))
        .anyMatch(line -> line.startsWith("good 100 "));
  }

  /** A hole of 8 GiB behind the records is not read. */
  @Test
  void aHoleBehindTheRecordsIsPassedOver() throws Exception {
    try (RandomAccessFile file =
        new RandomAccessFile(folder.resolve("conversations/bad/journal").toFile(), "rw")) {
      file.setLength(8L << 30);
    }
    long before = readBytes();
    assertThat(ConversationStore.open(folder).list()).hasSize(2);
    long read = readBytes() - before;
    assertThat(read).as("bytes read").isLessThan(16 << 20);
    try (Conversation talk =
        ConversationStore.open(folder).openOrCreate("bad", Workload.MODEL, Rows.layout())) {
      assertThat(talk.committedTokens()).isEqualTo(100);
    }
  }

  private static long readBytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/io"))) {
      if (line.startsWith("rchar: ")) {
        return Long.parseLong(line.substring(7));
      }
    }
    throw new IOException("no rchar in /proc/self/io");
  }
}
