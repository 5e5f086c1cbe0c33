package io.gatun.attention;

/** How the rows that a machine code kernel works on go along with those that it asks for. */
final class MachineRows {
  /** Tokens that a kernel takes at a time, and asks for. */
  private static final int TOKENS = 4;

  private MachineRows() {}

  /**
   * Tokens to work on at once: what is asked for meanwhile has to lie in one stretch. All but the
   * last piece are whole groups.
   *
   * @param tokens that are left
   * @param ahead rows of the stretch, 0 if there is nothing to ask for
   */
  static int count(int tokens, int ahead) {
    return ahead == 0 ? tokens : Math.min(tokens, Math.ceilDiv(ahead, TOKENS) * TOKENS);
  }

  /** Where the last group of rows to ask for begins. */
  static long last(long first, int ahead, int rowBytes) {
    return first + (long) Math.max(0, ahead - TOKENS) * rowBytes;
  }
}
