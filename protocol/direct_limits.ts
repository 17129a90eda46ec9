/**
 * What an application without a cacher may have in flight at the file server. The server refuses more;
 * the application library holds back what would be more until earlier answers have come.
 */

/** Requests of one direct client that wait for their answers. */
export const DIRECT_REQUESTS_LIMIT = 1024;

/**
 * Bytes that they may move. A single request may move more, for a file may be larger. Far below what a
 * link buffers, so that answers always find room there.
 */
export const DIRECT_BYTES_LIMIT = 16 * 1024 * 1024;
