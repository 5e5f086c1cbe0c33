package io.gatun.store;

import io.gatun.cache.KvLayout;
import java.time.Instant;

/**
 * What a store says about a conversation without opening it.
 *
 * @param tokens token ids known
 * @param committedTokens tokens whose K/V is on disk
 * @param blocks block files that hold its rows
 * @param bytes disk space of its files, shared blocks included
 * @param ownBytes disk space that deleting it would free
 * @param layout shape, element types, block size; null if the journal is damaged
 * @param fingerprint null if the journal is damaged
 * @param pinned whether it is never evicted
 * @param imported whether its rows came from a file whose source is not trusted: they are not handed
 *     to other conversations, apart from forks, which inherit this
 * @param openForWriting whether a writer has it now
 * @param closed whether its last writer closed it
 * @param created when it was made; null if the journal is damaged
 * @param lastUsed when it was last opened or closed
 * @param damage what is wrong with its journal, or null
 */
public record ConversationInfo(
    String id,
    long tokens,
    long committedTokens,
    int blocks,
    long bytes,
    long ownBytes,
    KvLayout layout,
    Fingerprint fingerprint,
    boolean pinned,
    boolean imported,
    boolean openForWriting,
    boolean closed,
    Instant created,
    Instant lastUsed,
    String damage) {}
