/** Every bound of the protocol that is not an option; options have theirs in options.ts. */

/** "rudp" in ASCII; a hello that does not carry it is not for us. */
export const MAGIC = 0x72756470;

/** The version of the wire format; a hello of another one is refused. */
export const VERSION = 1;

/** The smallest path MTU that rudp works on, and the size a hello is padded to (RFC 9000 §14). */
export const MIN_DATAGRAM_BYTES = 1200;

/** The most that UDP over IPv4 carries: 65,535 less 20 bytes of IP and 8 of UDP header. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** What an Ethernet with its MTU of 1,500 carries, less the same headers. */
export const ETHERNET_DATAGRAM_BYTES = 1_472;

/** The longest name of a peer, in UTF-8. */
export const MAX_NAME_BYTES = 64;

/** The longest reason of a close, in UTF-8; a longer one is cut. */
export const MAX_REASON_BYTES = 256;

/** Channels are numbered by unsigned 32-bit numbers. */
export const MAX_CHANNEL = 0xffff_ffff;

/** Channels from here on carry requests and responses (requests.ts). */
export const FIRST_REQUEST_CHANNEL = 0x8000_0000;

/** Requests of one side that wait for a response. */
export const MAX_OPEN_REQUESTS = 65_536;

/** No option can allow longer messages. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * What a message costs in every window and buffer beside its bytes, so that the bookkeeping of
 * millions of empty messages is bounded too.
 */
export const MESSAGE_OVERHEAD_BYTES = 64;

/** The longest deadline of a message, 24 days: timers of Node go no further. */
export const MAX_DEADLINE_MS = 2 ** 31 - 1;

/** Urgent messages may exceed the send buffer by this part of it. */
export const URGENT_RESERVE_FRACTION = 1 / 16;

/** Full packets in a row in which something less urgent may have to stand back. */
export const MAX_OVERTAKING_PACKETS = 16;

/** Ranges of received packet numbers that are remembered by default; the oldest is forgotten first. */
export const MAX_ACK_RANGES = 256;

/** Ranges that one ACK frame reports, newest first. */
export const MAX_ACK_FRAME_RANGES = 64;

/** Numbers of packets declared lost that are remembered to recognise a spurious loss. */
export const MAX_LOST_REMEMBERED = 1024;

/** A packet counts as lost once one sent so many later has arrived, however the path reorders. */
export const MAX_PACKET_THRESHOLD = 1_024;

/** Copies of a small message that are sent on a link that loses much. */
export const MAX_COPIES = 3;

/** Longer messages are never copied. */
export const MAX_COPIED_MESSAGE_BYTES = 4_096;

/** Hosts whose loss is remembered. */
export const MAX_MEASURED_HOSTS = 1_024;

/** Pieces that wait to be copied; further ones are not. */
export const MAX_COPIES_WAITING = 256;

/** Answers without a connection (retry, refuse, reset) that wait to be sent; more are dropped. */
export const MAX_STATELESS_QUEUED = 256;

/**
 * Cookies given out a second, and in one burst: so that a flood of hellos costs little more than to
 * read it, and four thousand members can still come back within two seconds.
 */
export const RETRIES_PER_SECOND = 2_000;

/** Stateless resets a second, and in one burst. */
export const RESETS_PER_SECOND = 100;

/** Retries that one dial follows before it only listens to its timer. */
export const MAX_RETRIES_FOLLOWED = 8;

/** An event tells of peers without our key once in such a time at most. */
export const STRANGER_INTERVAL_MS = 1000;

/** How long a cookie is good for: this period and the one after it. */
export const COOKIE_PERIOD_MS = 10_000;

/** The longest packet that challenges an address or answers that: header, type, token, AEAD tag. */
export const PATH_FRAME_BYTES = 13 + 1 + 8 + 16;

/** Bytes of a keyed tag in cookies, refusals and resets. */
export const TAG_BYTES = 16;

/** Packets that come so far behind the newest one are dropped unread. */
export const REPLAY_WINDOW = 8192;

/** Frames of one packet that a qlog record tells; the rest is one of type "unknown". */
export const MAX_QLOG_FRAMES = 1_024;

/** Bytes of qlog records that wait for the disk, for all connections of an endpoint together. */
export const MAX_QLOG_WAITING_BYTES = 16 * 1024 * 1024;

/** A qlog file ends before it gets longer. */
export const MAX_QLOG_FILE_BYTES = 1024 * 1024 * 1024;
/** Datagrams that one packet may travel in: no more than the bits of a small integer. */
export const MAX_PIECES = 16;

/** The longest packet that travels in several datagrams. */
export const MAX_SPLIT_BYTES = 24 * 1024;

/** Packets of one connection of which some pieces are missing; the oldest is given up. */
export const MAX_PARTIAL_PACKETS = 4;

/** Keys that one endpoint accepts: each may cost an attempt at every hello of a stranger. */
export const MAX_KEYS = 8;

/** The longest id of a cluster, in UTF-8. */
export const MAX_CLUSTER_ID_BYTES = 255;

/**
 * No more packets than this are sealed under one key, so that an attacker's advantage stays below
 * 2^-57 even for the longest datagrams (RFC 9001 §6.6, B.1.1).
 */
export const MAX_PACKETS_PER_KEY = 2 ** 23;
