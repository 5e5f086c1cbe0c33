package io.gatun.tools.text;

import io.gatun.cache.GatunException;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The special tokens that stand around a text.
 *
 * @param before it
 * @param behind it
 */
record SurroundingTokens(int[] before, int[] behind) {
  /**
   * What the tokenizer's file puts around a text, changed as the model's folder says.
   *
   * @param with the ids of some text with special tokens
   * @param without the ids of the same text without them
   * @throws GatunException if a token shall be added that the model does not have
   */
  static SurroundingTokens of(
      long[] with, long[] without, TokenizerConfig config, TokenTexts texts) {
    int at = 0;
    while (at + without.length < with.length
        && !Arrays.equals(with, at, at + without.length, without, 0, without.length)) {
      at++;
    }
    int[] before = ints(with, 0, at);
    int[] behind = ints(with, Math.min(with.length, at + without.length), with.length);
    int bos = id(config, texts, "bos_token", config.addBos());
    int eos = id(config, texts, "eos_token", config.addEos());
    boolean begins = bos >= 0 && before.length > 0 && before[0] == bos;
    boolean ends = eos >= 0 && behind.length > 0 && behind[behind.length - 1] == eos;
    if (Boolean.TRUE.equals(config.addBos()) && !begins) {
      before = IntStream.concat(IntStream.of(bos), IntStream.of(before)).toArray();
    } else if (Boolean.FALSE.equals(config.addBos()) && begins) {
      before = Arrays.copyOfRange(before, 1, before.length);
    }
    if (Boolean.TRUE.equals(config.addEos()) && !ends) {
      behind = IntStream.concat(IntStream.of(behind), IntStream.of(eos)).toArray();
    } else if (Boolean.FALSE.equals(config.addEos()) && ends) {
      behind = Arrays.copyOf(behind, behind.length - 1);
    }
    return new SurroundingTokens(before, behind);
  }

  private static int id(TokenizerConfig config, TokenTexts texts, String name, Boolean wanted) {
    String text = config.special(name);
    int id = text == null ? -1 : texts.idOf(text);
    if (Boolean.TRUE.equals(wanted) && id < 0) {
      throw new GatunException(
          "tokenizer_config.json wants add_%s, but %s; set it to false or name the token"
              .formatted(
                  name,
                  text == null
                      ? "it names no " + name
                      : "the tokenizer has no token '%s'".formatted(text)));
    }
    return id;
  }

  private static int[] ints(long[] ids, int from, int to) {
    return Arrays.stream(ids, from, to).mapToInt(Math::toIntExact).toArray();
  }

  /** A text with them around it. */
  int[] around(int[] text) {
    int[] all = Arrays.copyOf(before, before.length + text.length + behind.length);
    System.arraycopy(text, 0, all, before.length, text.length);
    System.arraycopy(behind, 0, all, before.length + text.length, behind.length);
    return all;
  }
}
