package io.gatun.tools.plan;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.cache.KvType;
import io.gatun.tools.cli.Amounts;
import io.gatun.tools.config.Kept;
import io.gatun.tools.config.LayerCache;
import io.gatun.tools.config.ModelCache;
import io.gatun.tools.config.Span;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The layers of a model by what they keep. */
final class LayerKinds {
  private static final JsonMapper JSON = new JsonMapper();

  private LayerKinds() {}

  /** Layers that keep the same, in the order in which the first of each kind stands. */
  static Map<LayerCache, Integer> of(ModelCache model) {
    Map<LayerCache, Integer> kinds = new LinkedHashMap<>();
    model.layers().forEach(layer -> kinds.merge(alike(layer), 1, Integer::sum));
    return kinds;
  }

  /** Which layer's rows are shared does not make a kind. */
  private static LayerCache alike(LayerCache layer) {
    return new LayerCache(
        layer.kept().stream()
            .map(kept -> kept instanceof Kept.Shared ? new Kept.Shared(0) : kept)
            .toList());
  }

  /** A line for each thing that a kind of layers keeps: layers, what, its shape, its bytes. */
  static List<String[]> table(ModelCache model, KvType type) {
    List<String[]> table = new ArrayList<>();
    table.add(new String[] {"layers", "each keeps", "heads x width", "bytes"});
    of(model)
        .forEach((kind, layers) -> {
          String count = Amounts.grouped(layers);
          if (kind.kept().isEmpty()) {
            table.add(new String[] {count, "nothing", "", ""});
          }
          for (Kept kept : kind.kept()) {
            table.add(new String[] {count, what(kept), shape(kept), bytes(kept, type)});
            // The further things of the same layers.
            count = "";
          }
        });
    return table;
  }

  static String what(Kept kept) {
    return switch (kept) {
      case Kept.Heads heads -> "K/V " + of(heads.span());
      case Kept.Latent latent -> "latent rows " + of(latent.span());
      case Kept.IndexKeys keys -> "indexer's keys " + of(keys.span());
      case Kept.State state -> "a state (%s)".formatted(state.kind());
      case Kept.Shared _ -> "nothing of its own: reads another layer's K/V";
      case Kept.Cross cross -> "K/V of the %s (cross-attention)".formatted(cross.of());
    };
  }

  private static String of(Span span) {
    String tokens = Amounts.grouped(span.tokens());
    return switch (span.kind()) {
      case ALL -> "of every token";
      case WINDOW -> "of the last %s tokens".formatted(tokens);
      case CHUNK -> "of a chunk of %s tokens".formatted(tokens);
      case EVERY -> "for every %s tokens".formatted(tokens);
    };
  }

  private static String shape(Kept kept) {
    return switch (kept) {
      case Kept.Heads h -> heads(h.queryHeads(), h.kvHeads(), h.keyDim(), h.valueDim());
      case Kept.Cross c -> heads(c.queryHeads(), c.kvHeads(), c.keyDim(), c.valueDim());
      case Kept.Latent l ->
          "%d on 1 row x %d + %d".formatted(l.queryHeads(), l.latentDim(), l.ropeDim());
      case Kept.IndexKeys k -> "1 x %d".formatted(k.dim());
      case Kept.State _, Kept.Shared _ -> "";
    };
  }

  private static String heads(int query, int kv, int keyDim, int valueDim) {
    String width =
        keyDim == valueDim ? String.valueOf(keyDim) : "%d and %d".formatted(keyDim, valueDim);
    return "%d on %d x %s".formatted(query, kv, width);
  }

  private static String bytes(Kept kept, KvType type) {
    return switch (kept) {
      case Kept.Rows rows ->
          Amounts.grouped(CacheCost.rowBytes(rows, type))
              + (rows.span().kind() == Span.Kind.EVERY ? " a row" : " a token");
      case Kept.Cross c -> Amounts.grouped(crossBytes(c, type)) + " a position";
      case Kept.State state -> Amounts.grouped(state.bytes()) + " a sequence";
      case Kept.Shared _ -> "";
    };
  }

  /** Bytes that one position of what is attended to takes in one layer. */
  static long crossBytes(Kept.Cross c, KvType type) {
    return CacheCost.rowBytes(
        new Kept.Heads(c.queryHeads(), c.kvHeads(), c.keyDim(), c.valueDim(), Span.ALL), type);
  }

  static ArrayNode toJson(ModelCache model, KvType type) {
    ArrayNode kinds = JSON.createArrayNode();
    of(model)
        .forEach((kind, layers) -> {
          ObjectNode json = kinds.addObject();
          json.put("layers", layers);
          ArrayNode keeps = json.putArray("keeps");
          kind.kept()
              .forEach(kept -> {
                ObjectNode one = keeps.addObject();
                one.put("what", what(kept));
                switch (kept) {
                  case Kept.Rows rows -> {
                    one.put("bytesPerRow", CacheCost.rowBytes(rows, type));
                    if (rows.span().tokens() > 0) {
                      boolean every = rows.span().kind() == Span.Kind.EVERY;
                      one.put(every ? "tokensPerRow" : "window", rows.span().tokens());
                    }
                  }
                  case Kept.State state -> one.put("bytesPerSequence", state.bytes());
                  case Kept.Cross cross -> one.put("bytesPerPosition", crossBytes(cross, type));
                  case Kept.Shared _ -> {}
                }
              });
        });
    return kinds;
  }

  /** The numbers of heads and widths where all layers with K/V agree; else they are null. */
  static void putShape(ModelCache model, ObjectNode json) {
    Kept.Heads heads = only(model, Kept.Heads.class);
    Kept.Latent latent = only(model, Kept.Latent.class);
    if (latent != null) {
      json.put("numHeads", latent.queryHeads());
      json.put("numKvHeads", 1);
      json.put("headDim", latent.headKeyDim());
      json.put("valueDim", latent.headValueDim());
      json.put("latentDim", latent.latentDim());
      json.put("ropeDim", latent.ropeDim());
    } else if (heads != null) {
      json.put("numHeads", heads.queryHeads());
      json.put("numKvHeads", heads.kvHeads());
      json.put("headDim", heads.keyDim());
      json.put("valueDim", heads.valueDim());
    } else {
      List.of("numHeads", "numKvHeads", "headDim", "valueDim").forEach(json::putNull);
    }
  }

  /** The one shape of all rows of a sort, windows aside; null if there are several or none. */
  private static <T extends Kept.Rows> T only(ModelCache model, Class<T> sort) {
    List<Kept.Rows> shapes =
        model
            .withoutWindows()
            .all(Kept.Rows.class)
            .filter(rows -> !(rows instanceof Kept.IndexKeys))
            .distinct()
            .toList();
    return shapes.size() == 1 && sort.isInstance(shapes.getFirst())
        ? sort.cast(shapes.getFirst())
        : null;
  }

  /** Heads and widths in two short cells; several if layers differ. */
  static String[] cells(ModelCache model) {
    Kept.Heads heads = only(model, Kept.Heads.class);
    Kept.Latent latent = only(model, Kept.Latent.class);
    return latent != null
        ? new String[] {
          latent.queryHeads() + "/latent", latent.latentDim() + "+" + latent.ropeDim()
        }
        : heads != null
            ? new String[] {heads.queryHeads() + "/" + heads.kvHeads(), dims(heads)}
            : new String[] {"several", "several"};
  }

  private static String dims(Kept.Heads heads) {
    return heads.keyDim() == heads.valueDim()
        ? String.valueOf(heads.keyDim())
        : heads.keyDim() + "+" + heads.valueDim();
  }
}
