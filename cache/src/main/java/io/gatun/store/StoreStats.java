package io.gatun.store;

/**
 * Figures of a store, as this process knows them.
 *
 * @param conversations conversations in the folder
 * @param openConversations of those, the ones that this object has open for writing
 * @param fileBytes disk space of all files
 * @param mappedBytes block files mapped by open conversations
 * @param residentBytes of those, bytes that are in memory now; -1 where the system does not tell
 * @param bytesWritten bytes forced by this object's conversations since it was opened: whole pages
 *     of K/V rows, and journal records
 * @param commits commits since it was opened
 * @param tokensAccepted token ids accepted since it was opened
 * @param tokensReused tokens that new conversations took over from stored ones
 */
public record StoreStats(
    int conversations,
    int openConversations,
    long fileBytes,
    long mappedBytes,
    long residentBytes,
    long bytesWritten,
    long commits,
    long tokensAccepted,
    long tokensReused) {}
