package io.gatun.tools.conversations;

import io.gatun.cache.KvLayout;
import io.gatun.store.ConversationInfo;
import io.gatun.store.Verification;
import io.gatun.tools.cli.Sizes;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;

/** What is said about a conversation, by name: in JSON, and line by line. */
final class Facts {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm");

  private Facts() {}

  static Map<String, Object> of(ConversationInfo info) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("id", info.id());
    facts.put("tokens", info.tokens());
    facts.put("committedTokens", info.committedTokens());
    facts.put("bytes", info.bytes());
    facts.put("ownBytes", info.ownBytes());
    facts.put("blocks", info.blocks());
    KvLayout layout = info.layout();
    facts.put("kvType", layout == null ? null : type(layout));
    facts.put("fingerprint", info.fingerprint() == null ? null : info.fingerprint().hex());
    if (layout != null) {
      facts.put("layers", layout.shape().layers());
      facts.put("kvHeads", layout.shape().kvHeads());
      facts.put("keyDim", layout.shape().keyDim());
      facts.put("valueDim", layout.shape().valueDim());
      facts.put("blockTokens", layout.blockTokens());
      facts.put("bytesPerToken", layout.bytesPerToken());
    }
    facts.put("pinned", info.pinned());
    facts.put("imported", info.imported());
    facts.put("openForWriting", info.openForWriting());
    facts.put("closed", info.closed());
    facts.put("created", info.created() == null ? null : info.created().toString());
    facts.put("lastUsed", info.lastUsed().toString());
    facts.put("damage", info.damage());
    return facts;
  }

  static Map<String, Object> of(Verification verification) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("id", verification.id());
    facts.put("sound", verification.sound());
    facts.put("tokens", verification.tokens());
    facts.put("committedTokens", verification.committedTokens());
    facts.put("soundTokens", verification.soundTokens());
    facts.put("bytesRead", verification.bytesRead());
    facts.put("damage", verification.damage());
    return facts;
  }

  /** The element type, or both if keys and values differ. */
  static String type(KvLayout layout) {
    String keys = layout.keyType().label();
    String values = layout.valueType().label();
    return keys.equals(values) ? keys : keys + "/" + values;
  }

  static String text(String name, Object value) {
    if (value == null) {
      return "-";
    }
    if (name.endsWith("ytes")) {
      return Sizes.human(((Number) value).longValue());
    }
    return value instanceof Long number ? "%,d".formatted(number) : value.toString();
  }

  static String time(Instant instant) {
    return TIME.format(instant.atZone(ZoneId.systemDefault()));
  }
}
