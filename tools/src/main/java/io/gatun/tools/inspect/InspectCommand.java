package io.gatun.tools.inspect;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.cache.KvLayout;
import io.gatun.store.ConversationInfo;
import io.gatun.store.ConversationStore;
import io.gatun.tools.cli.Sizes;
import io.gatun.tools.cli.Stores;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gatun inspect}: shape, type, tokens, blocks, bytes and fingerprint, from the files alone. */
@Command(
    name = "inspect",
    mixinStandardHelpOptions = true,
    description = {
      "Says what the conversations of a store are: shape, element types, tokens, blocks, bytes,"
          + " fingerprint. Reads the files, needs no model, and disturbs no writer.",
      ""
    })
public final class InspectCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--store",
      paramLabel = "DIR",
      description = "folder of stored conversations; default: 'store' in your data folder")
  private Path folder;

  @Option(names = "--conversation", paramLabel = "ID", description = "only this one; default: all")
  private String conversation;

  @Option(names = "--json", description = "print an array of objects")
  private boolean json;

  @Override
  public Integer call() throws JsonProcessingException {
    Path place = Stores.place(folder);
    PrintWriter out = spec.commandLine().getOut();
    try (ConversationStore store = Stores.existing(place)) {
      List<Map<String, Object>> facts =
          (conversation == null ? store.list() : List.of(store.info(conversation)))
              .stream().map(InspectCommand::facts).toList();
      if (json) {
        out.println(new ObjectMapper().writeValueAsString(facts));
      } else {
        facts.forEach(fact -> print(fact, out));
        if (facts.isEmpty()) {
          out.println("no conversations in " + place);
        }
      }
    }
    return 0;
  }

  private static Map<String, Object> facts(ConversationInfo info) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("id", info.id());
    if (info.damage() != null) {
      facts.put("damage", info.damage());
    }
    if (info.layout() != null) {
      KvLayout layout = info.layout();
      facts.put("layers", layout.shape().layers());
      facts.put("kvHeads", layout.shape().kvHeads());
      facts.put("keyDim", layout.shape().keyDim());
      facts.put("valueDim", layout.shape().valueDim());
      facts.put("valuesInKeys", layout.shape().valuesInKeys());
      facts.put("keyType", layout.keyType().label());
      facts.put("valueType", layout.valueType().label());
      facts.put("blockTokens", layout.blockTokens());
      facts.put("bytesPerToken", layout.bytesPerToken());
      facts.put("fingerprint", info.fingerprint().hex());
    }
    facts.put("tokens", info.tokens());
    facts.put("committedTokens", info.committedTokens());
    facts.put("blocks", info.blocks());
    facts.put("bytes", info.bytes());
    facts.put("ownBytes", info.ownBytes());
    facts.put("pinned", info.pinned());
    facts.put("imported", info.imported());
    facts.put("openForWriting", info.openForWriting());
    facts.put("closed", info.closed());
    if (info.created() != null) {
      facts.put("created", info.created().toString());
    }
    facts.put("lastUsed", String.valueOf(info.lastUsed()));
    return facts;
  }

  private static void print(Map<String, Object> facts, PrintWriter out) {
    facts.forEach((name, value) ->
        out.printf(
            name.equals("id") ? "%2$s%n" : "  %-16s %s%n",
            name,
            name.endsWith("ytes") || name.equals("bytesPerToken")
                ? Sizes.human(((Number) value).longValue())
                : value));
    out.println();
  }
}
