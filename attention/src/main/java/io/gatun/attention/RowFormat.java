package io.gatun.attention;

import io.gatun.cache.KvType;

/**
 * How stored rows lie in memory.
 *
 * @param dim values of a row
 * @param rowBytes from one row to the next
 */
record RowFormat(KvType type, int dim, int rowBytes) {}
