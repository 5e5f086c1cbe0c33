package io.gatun.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.gatun.cache.KvCache;
import io.gatun.cache.KvLayout;
import io.gatun.cache.KvShape;
import io.gatun.cache.KvType;
import io.gatun.cache.KvView;
import io.gatun.cache.RowReader;
import java.lang.foreign.MemorySegment;

/**
 * K/V rows that are a function of all token ids up to theirs, as in a model: a row that belongs to
 * another history, position, layer or head does not pass.
 */
public final class Rows {
  public static final KvShape SHAPE = new KvShape(2, 2, 8, 4);

  private Rows() {}

  public static KvLayout layout() {
    return new KvLayout(SHAPE, KvType.F32, KvType.F32, 64);
  }

  /** Digest of the first {@code length} tokens. */
  public static long history(Tokens tokens, int length) {
    long hash = 17;
    for (int i = 0; i < length; i++) {
      hash = next(hash, tokens.get(i));
    }
    return hash;
  }

  public static long next(long hash, int token) {
    long mixed = (hash ^ token) * 0x9E3779B97F4A7C15L;
    return mixed ^ (mixed >>> 29);
  }

  private static float cell(long history, int layer, int head, int dim, boolean key) {
    long mixed = next(history, ((layer * 31 + head) * 257 + dim) * 2 + (key ? 1 : 0));
    return (mixed >>> 40) / 1024f;
  }

  /** Appends the rows that are missing, up to the tokens known. */
  public static void prefill(Conversation conversation) {
    prefill(conversation, conversation.tokens().count());
  }

  /** Appends the rows that are missing, up to {@code length} tokens. */
  public static void prefill(Conversation conversation, int length) {
    KvCache cache = conversation.cache();
    int from = (int) cache.length();
    int count = length - from;
    if (count <= 0) {
      return;
    }
    KvShape shape = cache.shape();
    long[] histories = new long[count];
    long hash = history(conversation.tokens(), from);
    for (int t = 0; t < count; t++) {
      hash = next(hash, conversation.tokens().get(from + t));
      histories[t] = hash;
    }
    float[] keys = new float[count * shape.kvHeads() * shape.keyDim()];
    float[] values = new float[count * shape.kvHeads() * shape.valueDim()];
    for (int layer = 0; layer < shape.layers(); layer++) {
      for (int t = 0; t < count; t++) {
        for (int head = 0; head < shape.kvHeads(); head++) {
          int row = t * shape.kvHeads() + head;
          for (int d = 0; d < shape.keyDim(); d++) {
            keys[row * shape.keyDim() + d] = cell(histories[t], layer, head, d, true);
          }
          for (int d = 0; d < shape.valueDim(); d++) {
            values[row * shape.valueDim() + d] = cell(histories[t], layer, head, d, false);
          }
        }
      }
      cache.append(layer, MemorySegment.ofArray(keys), MemorySegment.ofArray(values), count);
    }
    cache.advance(count);
  }

  /** Checks every row of a view against the tokens. */
  public static void check(KvView view, Tokens tokens) {
    KvShape shape = view.layout().shape();
    assertThat(view.length()).isLessThanOrEqualTo(tokens.count());
    float[] key = new float[shape.keyDim()];
    float[] value = new float[shape.valueDim()];
    long hash = 17;
    for (int token = 0; token < view.length(); token++) {
      hash = next(hash, tokens.get(token));
      for (int layer = 0; layer < shape.layers(); layer++) {
        for (int head = 0; head < shape.kvHeads(); head++) {
          RowReader.key(view, layer, head, token, key);
          RowReader.value(view, layer, head, token, value);
          for (int d = 0; d < key.length; d++) {
            if (key[d] != cell(hash, layer, head, d, true)) {
              throw new AssertionError(
                  "key of token %d, layer %d, head %d, dim %d is of another history"
                      .formatted(token, layer, head, d));
            }
          }
          for (int d = 0; d < value.length; d++) {
            if (value[d] != cell(hash, layer, head, d, false)) {
              throw new AssertionError(
                  "value of token %d, layer %d, head %d, dim %d is of another history"
                      .formatted(token, layer, head, d));
            }
          }
        }
      }
    }
  }

  /** Accepts ids drawn from a seed. */
  public static void accept(Conversation conversation, int count, long seed) {
    int[] ids = new java.util.Random(seed).ints(count, 0, 50_000).toArray();
    conversation.accept(ids, 0, count);
  }
}
