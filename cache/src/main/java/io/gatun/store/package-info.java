/**
 * Conversations that outlive the process: a folder of block files, on which attention runs in place,
 * and a journal for each conversation with its token ids and commits.
 *
 * <p>The token ids are the truth, K/V is derived from them. Bytes on disk are described in
 * cache/FORMAT.md, promises and their tests in cache/RELIABILITY.md.
 */
package io.gatun.store;
