package io.gatun.tools.config;

import io.gatun.tools.cli.Amounts;

/**
 * Which tokens of a sequence leave a row in a layer.
 *
 * @param kind how they are chosen
 * @param tokens width of the window or the chunk, or how many tokens one row stands for; 0 for all
 */
public record Span(Kind kind, long tokens) {
  /** A row for every token. */
  public static final Span ALL = new Span(Kind.ALL, 0);

  /** How the tokens are chosen. */
  public enum Kind {
    /** Every token. */
    ALL,
    /** The newest ones. */
    WINDOW,
    /** Those of the current chunk; a chunk begins at every multiple of its width. */
    CHUNK,
    /** One row for every so many tokens. */
    EVERY
  }

  /** Checks the width. */
  public Span {
    if (kind == Kind.ALL ? tokens != 0 : tokens < 1) {
      throw new IllegalArgumentException("%s of %d tokens".formatted(kind, tokens));
    }
  }

  /** The newest {@code tokens}. */
  public static Span window(long tokens) {
    return new Span(Kind.WINDOW, tokens);
  }

  /** The tokens of the current chunk. */
  public static Span chunk(long tokens) {
    return new Span(Kind.CHUNK, tokens);
  }

  /** One row for {@code tokens} tokens. */
  public static Span every(long tokens) {
    return new Span(Kind.EVERY, tokens);
  }

  /** Rows that are kept of a sequence of {@code length} tokens, at most. */
  public long rows(long length) {
    return switch (kind) {
      case ALL -> length;
      case WINDOW, CHUNK -> Math.min(length, tokens);
      case EVERY -> length / tokens;
    };
  }

  /** Whether more tokens than this many need no more rows. */
  public boolean bounded() {
    return kind == Kind.WINDOW || kind == Kind.CHUNK;
  }

  /** In words that follow a noun: {@code rows of the last 4,096 tokens}. */
  String text() {
    return switch (kind) {
      case ALL -> "of every token";
      case WINDOW -> "of the last %s tokens".formatted(Amounts.grouped(tokens));
      case CHUNK -> "of the current chunk of %s tokens".formatted(Amounts.grouped(tokens));
      case EVERY -> "for every %s tokens".formatted(Amounts.grouped(tokens));
    };
  }
}
