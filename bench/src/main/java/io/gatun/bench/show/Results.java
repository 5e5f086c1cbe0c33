package io.gatun.bench.show;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.gatun.bench.measure.Contest;
import io.gatun.bench.system.Machine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Everything that is kept of a run, as JSON.
 *
 * @param command which benchmark
 * @param machine where and with what
 * @param effort rounds and sample times
 * @param note what the person who ran it has to say about the run; null if nothing
 * @param rows one record per line of the table
 */
public record Results(
    String command, Machine machine, Contest.Effort effort, String note, List<?> rows) {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /** Writes them. */
  public void write(Path file) throws IOException {
    Files.write(file, JSON.writeValueAsBytes(this));
  }
}
