package io.gatun.bench;

import io.gatun.bench.measure.Contest;
import io.gatun.bench.measure.Summary;
import io.gatun.bench.peer.PeerMatch;
import io.gatun.bench.peer.PeerProcess;
import io.gatun.bench.peer.PeerProvider;
import io.gatun.bench.peer.PeerRow;
import io.gatun.bench.peer.PeerWork;
import io.gatun.bench.show.Charts;
import io.gatun.bench.show.Numbers;
import io.gatun.bench.show.TextTable;
import io.gatun.bench.system.Machine;
import io.gatun.bench.work.DecodeWork;
import io.gatun.bench.work.Heads;
import io.gatun.cache.GatunException;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.cli.Progress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gatun bench peers}. */
@Command(
    name = "peers",
    mixinStandardHelpOptions = true,
    description = {
      "The same decode step by other libraries, beside Gatun and the ceiling in the same process.",
      "",
      "Each peer runs in a JVM of its own. Its output is compared with Gatun's before it is timed;"
          + " layers rotate over more than 512 MiB for all; one query token, F32 unless the name"
          + " says otherwise.",
      ""
    })
final class PeersCommand implements Callable<Integer> {
  /** Pause that lets the worker threads of native peers fall asleep before another is timed. */
  private static final int SETTLE_MILLIS = 30;

  @Mixin private MeasureOptions options;

  @Option(
      names = "--peers",
      split = ",",
      paramLabel = "NAME",
      description = "Only these (default: all that were built).")
  private List<String> names;

  @Option(
      names = "--heads",
      split = ",",
      paramLabel = "H/KV/DIM",
      description = "Query heads / KV heads / head dims (default: ${DEFAULT-VALUE}).",
      defaultValue = "32/8/128")
  private List<String> heads;

  @Option(
      names = "--contexts",
      split = ",",
      paramLabel = "TOKENS",
      description = "Contexts (default: 4k,16k,64k; with --quick 4k).")
  private List<String> contexts;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads for everybody (default: all processors).")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Override
  public Integer call() throws IOException {
    options.prepare();
    List<PeerProvider> peers = chosen();
    List<PeerWork.Size> sizes = sizes();
    for (PeerWork.Size size : sizes) {
      MeasureOptions.requireMemory(
          "Gatun's K/V and a peer's, %s at %s tokens,"
              .formatted(size.heads(), Numbers.tokens(size.context())),
          3 * size.totalBytes());
    }
    Machine machine = Machine.here();
    System.out.println(machine.line());
    Contest.Effort effort = options.effort().settling(SETTLE_MILLIS);
    List<PeerRow> rows = new ArrayList<>();
    long samples = effort.reports(PeerMatch.CONTENDERS);
    try (Progress progress =
        Progress.start("peers", "samples", samples * peers.size() * sizes.size())) {
      long done = 0;
      for (PeerWork.Size size : sizes) {
        for (PeerProvider peer : peers) {
          rows.add(PeerProcess.run(peer, size, effort, () -> progress.by(1)));
          done += samples;
          progress.to(done);
        }
      }
    }
    System.out.print("\n" + table(rows));
    System.out.print(legend(rows));
    if (!PeersCommand.built(peers)) {
      System.out.println(
          "Only the heap loops were built. For ONNX Runtime, Jlama and libtorch run once:"
              + " ./mvnw -q -Ppeers -DskipTests package   (fetches about 200 MB)");
    }
    if (options.output != null) {
      System.out.println(
          "Chart: "
              + Charts.rates(
                  "Decode step with %d threads: K and V read per second".formatted(threads),
                  "GB/s of F32 K/V, each byte counted once",
                  chart(rows),
                  options.output,
                  "peers"));
    }
    options.write("peers", machine, rows);
    return 0;
  }

  private static boolean built(List<PeerProvider> peers) {
    return peers.stream().anyMatch(peer -> !peer.name().startsWith("heap-"));
  }

  private List<PeerProvider> chosen() {
    List<PeerProvider> all = PeerProcess.providers();
    if (names == null) {
      return all;
    }
    List<PeerProvider> chosen = new ArrayList<>();
    for (String name : names) {
      chosen.add(
          all.stream()
              .filter(peer -> peer.name().equals(name))
              .findFirst()
              .orElseThrow(() ->
                  new GatunException(
                      "there is no peer '%s' in this build; there are %s"
                          .formatted(
                              name,
                              all.stream()
                                  .map(PeerProvider::name)
                                  .collect(Collectors.joining(", "))))));
    }
    return chosen;
  }

  private List<PeerWork.Size> sizes() {
    List<String> lengths =
        contexts != null ? contexts : options.quick ? List.of("4k") : List.of("4k", "16k", "64k");
    List<PeerWork.Size> sizes = new ArrayList<>();
    for (String shape : heads) {
      for (String length : lengths) {
        Heads parsed = Heads.parse(shape);
        int context = Math.toIntExact(Amounts.tokens(length));
        int layers = DecodeWork.rotatingLayers(parsed, KvType.F32, context);
        sizes.add(new PeerWork.Size(parsed, context, layers, threads));
      }
    }
    return sizes;
  }

  static String table(List<PeerRow> rows) {
    TextTable table =
        new TextTable(
            "heads",
            "context",
            "threads",
            "peer",
            "us/step",
            "spread",
            "GB/s",
            "of ceiling",
            "gatun us",
            "of ceiling",
            "gatun is faster by",
            "10%-90%",
            "difference");
    for (PeerRow row : rows) {
      String[] shape = {
        row.heads(), Numbers.tokens(row.context()), Integer.toString(row.threads()), row.peer()
      };
      if (!row.ran()) {
        table.row(
            shape[0],
            shape[1],
            shape[2],
            shape[3],
            "-",
            "-",
            "-",
            "-",
            "-",
            "-",
            "-",
            "-",
            "did not run");
        continue;
      }
      table.row(
          shape[0],
          shape[1],
          shape[2],
          shape[3],
          Numbers.micros(row.peerNanos().median()),
          Numbers.percent(row.peerNanos()),
          Numbers.rate(row.stepBytes() / row.peerNanos().median()),
          Numbers.share(row.peerShare().median()),
          Numbers.micros(row.gatunNanos().median()),
          Numbers.share(row.gatunShare().median()),
          Numbers.share(row.timesGatun().median()) + " times",
          Numbers.spread(row.timesGatun()),
          String.format(Locale.ROOT, "%.0e", row.difference()));
    }
    return table.text();
  }

  private static String legend(List<PeerRow> rows) {
    StringBuilder text = new StringBuilder("\n");
    Map<String, String> abouts = new LinkedHashMap<>();
    rows.forEach(row -> abouts.put(row.peer(), row.about()));
    abouts.forEach((peer, about) -> text.append("%s: %s%n".formatted(peer, about)));
    for (PeerRow row : rows) {
      if (!row.ran()) {
        text.append(
            "%s at %s did not run: %s%n"
                .formatted(row.peer(), Numbers.tokens(row.context()), row.reason()));
      }
    }
    return text.append(
            "GB/s counts K and V in F32 once. 'of ceiling' is the time of the plain read, taken in"
                + " the same process and rounds, by the step's.\n")
        .toString();
  }

  /** By peer, then shape: GB/s of F32 K/V; Gatun and the plain read as medians over all peers. */
  private static Map<String, Map<String, Double>> chart(List<PeerRow> rows) {
    Map<String, Map<String, Double>> chart = new LinkedHashMap<>();
    for (String series : List.of("plain read", "gatun")) {
      Map<String, List<Double>> rates = new LinkedHashMap<>();
      for (PeerRow row : rows) {
        if (row.ran() && row.gatunType().equals(KvType.F32.label())) {
          Summary nanos = series.equals("gatun") ? row.gatunNanos() : row.ceilingNanos();
          rates
              .computeIfAbsent(shape(row), shape -> new ArrayList<>())
              .add(row.stepBytes() / nanos.median());
        }
      }
      rates.forEach((shape, all) -> put(chart, series, shape, Summary.of(all).median()));
    }
    for (PeerRow row : rows) {
      if (row.ran()) {
        put(chart, row.peer(), shape(row), row.stepBytes() / row.peerNanos().median());
      }
    }
    return chart;
  }

  private static String shape(PeerRow row) {
    return row.heads() + " " + Numbers.tokens(row.context());
  }

  private static void put(
      Map<String, Map<String, Double>> chart, String series, String shape, double rate) {
    chart.computeIfAbsent(series, name -> new LinkedHashMap<>()).put(shape, rate);
  }
}
