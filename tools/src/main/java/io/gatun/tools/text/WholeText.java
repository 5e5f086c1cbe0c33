package io.gatun.tools.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Function;

/**
 * Tokens of a decoder that looks at all of them: each time the whole is decoded again, and only
 * what it has gained is new. Takes time with the square of the length, which such rare decoders are
 * worth, and is right as long as they only add.
 */
final class WholeText implements Detokenizer.Run {
  private final Function<long[], String> decode;
  private long[] ids = new long[64];
  private int count;
  private byte[] given = new byte[0];

  WholeText(Function<long[], String> decode) {
    this.decode = decode;
  }

  @Override
  public byte[] next(int token) {
    if (count == ids.length) {
      ids = Arrays.copyOf(ids, 2 * count);
    }
    ids[count++] = token;
    byte[] all = decode.apply(Arrays.copyOf(ids, count)).getBytes(StandardCharsets.UTF_8);
    int common = Arrays.mismatch(given, all);
    if (common >= 0 && common < given.length) {
      // What was shown cannot be taken back; what comes next is shown when it has grown again.
      return new byte[0];
    }
    byte[] fresh = Arrays.copyOfRange(all, given.length, all.length);
    given = all;
    return fresh;
  }
}
