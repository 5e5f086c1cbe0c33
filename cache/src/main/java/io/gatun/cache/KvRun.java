package io.gatun.cache;

/**
 * A stretch of a cache: the first {@code tokens} rows of a block.
 *
 * @param tokens at least 1 and at most the block's tokens
 */
public record KvRun(KvBlock block, int tokens) {}
