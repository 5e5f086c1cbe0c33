/**
 * The off-heap KV cache: shape, element types, block layout, blocks of memory, the cache that one
 * writer appends to and the views that readers get.
 *
 * <p>Needs the JDK only. Knows neither attention nor the store that persists its blocks.
 */
package io.gatun.cache;
