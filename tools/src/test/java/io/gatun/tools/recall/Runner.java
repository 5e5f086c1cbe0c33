package io.gatun.tools.recall;

import io.gatun.attention.Team;
import io.gatun.cache.KvCache;
import io.gatun.cache.KvType;
import io.gatun.tools.model.Decoder;
import io.gatun.tools.model.Model;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A cache and a decoder that read and continue bytes, always with the most probable one. */
final class Runner implements AutoCloseable {
  final KvCache cache;
  final Decoder decoder;
  private MemorySegment logits;

  Runner(Model model, Team team, KvType type) {
    cache = KvCache.builder(model.kvShape()).type(type).build();
    decoder = new Decoder(model, cache, team);
  }

  Runner read(byte[] bytes) {
    int[] tokens = new int[bytes.length];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = bytes[i] & 0xff;
    }
    logits = decoder.prefill(tokens, 0, tokens.length);
    return this;
  }

  byte[] continueWith(int count) {
    byte[] out = new byte[count];
    for (int i = 0; i < count; i++) {
      out[i] = (byte) best();
      logits = decoder.decode(out[i] & 0xff);
    }
    return out;
  }

  float logit(int token) {
    return logits.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, token);
  }

  int best() {
    int best = 0;
    for (int token = 1; token < 256; token++) {
      if (logit(token) > logit(best)) {
        best = token;
      }
    }
    return best;
  }

  @Override
  public void close() {
    decoder.close();
    cache.close();
  }
}
