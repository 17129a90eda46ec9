/** The packet types and their headers (figures in docs/rudp.md). */

import { ByteReader } from './byte_reader.ts';
import { MAGIC, MIN_DATAGRAM_BYTES, TAG_BYTES, VERSION } from './limits.ts';
import { writeUint16, writeUint32, writeUint53 } from './varint.ts';

/** The first byte of every datagram. */
export const PACKET = {
  hello: 0x01,
  retry: 0x02,
  welcome: 0x03,
  refuse: 0x04,
  reset: 0x05,
  data: 0x06,
  /** Data in the odd key phases (RFC 9001 §6). */
  dataOddPhase: 0x07,
  /** A piece of a data packet that is longer than a datagram (split_packets.ts). */
  piece: 0x08,
  pieceOddPhase: 0x09,
} as const;

/** A connection id: chosen at random by the side that receives under it, 1 … 2^53 − 1. */
export type ConnectionId = number;

const ID_BYTES = 8;
const PACKET_NUMBER_BYTES = 4;
const PACKET_NUMBER_WINDOW = 2 ** 32;

/** Type, connection id. Every packet begins so. */
export const PREFIX_BYTES = 1 + ID_BYTES;
export const DATA_HEADER_BYTES = PREFIX_BYTES + PACKET_NUMBER_BYTES;
/** The header of a data packet, the index of the piece, their count, the bytes of all together. */
export const PIECE_HEADER_BYTES = DATA_HEADER_BYTES + 1 + 1 + 2;
/** Type, the client's id, magic, version. */
const HELLO_BOUND_BYTES = PREFIX_BYTES + 4 + 1;
/** Type, the client's id, the server's id. */
export const WELCOME_HEADER_BYTES = PREFIX_BYTES + ID_BYTES;
export const REFUSE_BYTES = PREFIX_BYTES + 2 + TAG_BYTES;
export const RESET_BYTES = PREFIX_BYTES + TAG_BYTES;

/** A number that nobody guesses: 53 bits from two draws of `random`. */
export const newConnectionId = (random: () => number): ConnectionId =>
  Math.floor(random() * 2 ** 26) * 2 ** 27 + Math.floor(random() * 2 ** 27) || 1;

const packet = (type: number, id: ConnectionId, sizeBytes: number): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes);
  bytes[0] = type;
  writeUint53(bytes, 1, id);
  return bytes;
};

const helloHead = (clientId: ConnectionId, sizeBytes: number): Uint8Array => {
  const bytes = packet(PACKET.hello, clientId, sizeBytes);
  writeUint32(bytes, PREFIX_BYTES, MAGIC);
  bytes[PREFIX_BYTES + 4] = VERSION;
  return bytes;
};

/**
 * What a hello's handshake message is bound to: the head of the hello with the version, and the
 * cluster, which does not travel. The cookie is not bound, it changes.
 */
export const helloBound = (clientId: ConnectionId, clusterId: string): Uint8Array => {
  const cluster = new TextEncoder().encode(clusterId);
  const bytes = helloHead(clientId, HELLO_BOUND_BYTES + cluster.length);
  bytes.set(cluster, HELLO_BOUND_BYTES);
  return bytes;
};

/** A hello, padded so that a path that cannot carry rudp shows itself at once. */
export const encodeHello = (
  clientId: ConnectionId,
  cookie: Uint8Array,
  message: Uint8Array,
): Uint8Array => {
  const used = HELLO_BOUND_BYTES + 1 + cookie.length + 2 + message.length;
  const bytes = helloHead(clientId, Math.max(used, MIN_DATAGRAM_BYTES));
  bytes[HELLO_BOUND_BYTES] = cookie.length;
  bytes.set(cookie, HELLO_BOUND_BYTES + 1);
  const at = writeUint16(bytes, HELLO_BOUND_BYTES + 1 + cookie.length, message.length);
  bytes.set(message, at);
  return bytes;
};

export interface Hello {
  readonly clientId: ConnectionId;
  readonly version: number;
  readonly cookie: Uint8Array;
  readonly message: Uint8Array;
}

/** Undefined if it is no hello of any version of rudp; of another version only the id is read. */
export const decodeHello = (datagram: Uint8Array): Hello | undefined => {
  if (datagram.length < MIN_DATAGRAM_BYTES) return undefined;
  const reader = new ByteReader(datagram, 1);
  const clientId = reader.uint53();
  const magic = reader.uint32();
  const version = reader.uint8();
  if (reader.failed() || magic !== MAGIC || clientId === 0) return undefined;
  if (version !== VERSION) {
    return { clientId, version, cookie: new Uint8Array(0), message: new Uint8Array(0) };
  }
  const cookie = reader.view(reader.uint8());
  const message = reader.view(reader.uint16());
  return reader.failed() ? undefined : { clientId, version, cookie, message };
};

export const encodeRetry = (clientId: ConnectionId, cookie: Uint8Array): Uint8Array => {
  const bytes = packet(PACKET.retry, clientId, PREFIX_BYTES + cookie.length);
  bytes.set(cookie, PREFIX_BYTES);
  return bytes;
};

export const welcomeHeader = (clientId: ConnectionId, serverId: ConnectionId): Uint8Array => {
  const bytes = packet(PACKET.welcome, clientId, WELCOME_HEADER_BYTES);
  writeUint53(bytes, PREFIX_BYTES, serverId);
  return bytes;
};

export const encodeWelcome = (header: Uint8Array, message: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(header.length + message.length);
  bytes.set(header);
  bytes.set(message, header.length);
  return bytes;
};

/**
 * What the tag of a refusal covers: all that comes before it, and the version that the hello asked
 * for, so that nobody can have our hello refused by asking in our name for another one.
 */
export const refuseBound = (refuse: Uint8Array, askedVersion: number): Uint8Array => {
  const bytes = new Uint8Array(REFUSE_BYTES - TAG_BYTES + 1);
  bytes.set(refuse.subarray(0, REFUSE_BYTES - TAG_BYTES));
  bytes[REFUSE_BYTES - TAG_BYTES] = askedVersion;
  return bytes;
};

/** `code` is one of `CLOSE` below 256. */
export const encodeRefuse = (
  clientId: ConnectionId,
  code: number,
  askedVersion: number,
  mac: (input: Uint8Array) => Uint8Array,
): Uint8Array => {
  const bytes = packet(PACKET.refuse, clientId, REFUSE_BYTES);
  bytes[PREFIX_BYTES] = code;
  bytes[PREFIX_BYTES + 1] = VERSION;
  bytes.set(mac(refuseBound(bytes, askedVersion)), PREFIX_BYTES + 2);
  return bytes;
};

export const encodeReset = (id: ConnectionId, tag: Uint8Array): Uint8Array => {
  const bytes = packet(PACKET.reset, id, RESET_BYTES);
  bytes.set(tag, PREFIX_BYTES);
  return bytes;
};

/** The connection id of any packet that is at least `PREFIX_BYTES` long; 0 if it has none. */
export const connectionIdOf = (datagram: Uint8Array): ConnectionId => {
  const high = uint32At(datagram, 1);
  return high >= 0x20_0000 ? 0 : high * 0x1_0000_0000 + uint32At(datagram, 5);
};

const uint32At = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)) >>>
  0;

/** Writes the header of a data packet to the start of `buffer`. */
export const writeDataHeader = (
  buffer: Uint8Array,
  id: ConnectionId,
  packetNumber: number,
): number => {
  buffer[0] = PACKET.data;
  return writeUint32(buffer, writeUint53(buffer, 1, id), packetNumber);
};

/**
 * The full number of a data packet, of which it carries the low 32 bits: the one nearest to the
 * next number expected (RFC 9000 §17.1, A.3).
 */
export const packetNumberOf = (datagram: Uint8Array, largestReceived: number): number => {
  const expected = largestReceived + 1;
  const truncated = uint32At(datagram, PREFIX_BYTES);
  const candidate = expected - (expected % PACKET_NUMBER_WINDOW) + truncated;
  if (candidate <= expected - PACKET_NUMBER_WINDOW / 2) return candidate + PACKET_NUMBER_WINDOW;
  if (candidate > expected + PACKET_NUMBER_WINDOW / 2 && candidate >= PACKET_NUMBER_WINDOW) {
    return candidate - PACKET_NUMBER_WINDOW;
  }
  return candidate;
};

/** What the header of a piece says beside the packet's own; one object is filled again and again. */
export interface PieceHeader {
  index: number;
  /** How many pieces the packet has. */
  count: number;
  /** The bytes of the packet after its header, in all pieces together. */
  totalBytes: number;
}

/** Writes the header of a piece of the data packet `packet`; answers the offset after it. */
export const writePieceHeader = (
  buffer: Uint8Array,
  at: number,
  packet: Uint8Array,
  piece: PieceHeader,
): number => {
  for (let index = 0; index < DATA_HEADER_BYTES; index += 1) {
    buffer[at + index] = packet[index] ?? 0;
  }
  buffer[at] = (packet[0] ?? 0) + PACKET.piece - PACKET.data;
  buffer[at + DATA_HEADER_BYTES] = piece.index;
  buffer[at + DATA_HEADER_BYTES + 1] = piece.count;
  return writeUint16(buffer, at + DATA_HEADER_BYTES + 2, piece.totalBytes);
};

/** Reads the header of a piece; false if `datagram` cannot be one. */
export const readPieceHeader = (datagram: Uint8Array, into: PieceHeader): boolean => {
  into.index = datagram[DATA_HEADER_BYTES] ?? 0;
  into.count = datagram[DATA_HEADER_BYTES + 1] ?? 0;
  const high = datagram[DATA_HEADER_BYTES + 2] ?? 0;
  into.totalBytes = (high << 8) | (datagram[DATA_HEADER_BYTES + 3] ?? 0);
  return datagram.length > PIECE_HEADER_BYTES && into.index < into.count;
};

/** Writes the header of the packet that `piece` is a piece of to the start of `packet`. */
export const writeHeaderOfPiece = (packet: Uint8Array, piece: Uint8Array): void => {
  packet.set(piece.subarray(0, DATA_HEADER_BYTES));
  packet[0] = (piece[0] ?? 0) - PACKET.piece + PACKET.data;
};

/** Compares in a time that tells nothing of where the bytes differ. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at += 1) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
};
