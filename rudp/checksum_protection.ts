/** I/O: protection by a checksum, by node:zlib: finds damage, keeps no secret. */

import { crc32 } from 'node:zlib';
import { TAG_BYTES } from './limits.ts';
import { equalBytes } from './packet_codec.ts';
import type { HandshakeProtection, PacketProtection, Protection } from './protection.ts';
import { writeUint32 } from './varint.ts';

const CHECKSUM_BYTES = 4;

/** Set apart the parts of a tag. */
const TAG_SEEDS = [0x5bd1e995, 0x1b873593, 0x3c6ef372, 0x27d4eb2f] as const;
/** Sets cookies apart from other tags. */
const COOKIE_SALT = 0x165667b1;

/** A CRC is linear: keys that enter it as they are could be cancelled out by a change of the input. */
const scramble = (key: number, salt: number): number => {
  const mixed = Math.imul((key ^ salt) >>> 0, 0x85eb_ca6b) ^ (key >>> 13);
  return (Math.imul(mixed ^ (mixed >>> 16), 0xc2b2_ae35) ^ salt) >>> 0;
};

const matches = (bytes: Uint8Array, at: number, crc: number): boolean =>
  bytes[at] === crc >>> 24 &&
  bytes[at + 1] === ((crc >>> 16) & 0xff) &&
  bytes[at + 2] === ((crc >>> 8) & 0xff) &&
  bytes[at + 3] === (crc & 0xff);

class ChecksumPackets implements PacketProtection {
  readonly overhead = CHECKSUM_BYTES;
  /** There are no keys to change. */
  readonly generation = 0;
  readonly #key: number;

  constructor(key: number) {
    this.#key = key;
  }

  update(): void {
    return;
  }

  seal(buffer: Uint8Array, _headerBytes: number, end: number, _packetNumber: number): number {
    return writeUint32(buffer, end, crc32(buffer.subarray(0, end), this.#key));
  }

  open(datagram: Uint8Array, headerBytes: number, _packetNumber: number): Uint8Array | undefined {
    const end = datagram.length - CHECKSUM_BYTES;
    if (end < headerBytes || !matches(datagram, end, crc32(datagram.subarray(0, end), this.#key))) {
      return undefined;
    }
    return datagram.subarray(headerBytes, end);
  }
}

class ChecksumHandshake implements HandshakeProtection {
  readonly #key: number;

  constructor(key: number) {
    this.#key = key;
  }

  write(payload: Uint8Array, associated: Uint8Array): Uint8Array {
    const message = new Uint8Array(payload.length + CHECKSUM_BYTES);
    message.set(payload);
    writeUint32(message, payload.length, this.#crc(payload, associated));
    return message;
  }

  read(message: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
    const end = message.length - CHECKSUM_BYTES;
    if (end < 0) return undefined;
    const payload = message.subarray(0, end);
    return matches(message, end, this.#crc(payload, associated)) ? payload : undefined;
  }

  packets(): PacketProtection {
    return new ChecksumPackets(this.#key);
  }

  #crc(payload: Uint8Array, associated: Uint8Array): number {
    return crc32(payload, crc32(associated, this.#key));
  }
}

const tagOf = (key: number, input: Uint8Array): Uint8Array => {
  const tag = new Uint8Array(TAG_BYTES);
  TAG_SEEDS.forEach((seed, index) => {
    writeUint32(tag, index * CHECKSUM_BYTES, crc32(input, scramble(key, seed)));
  });
  return tag;
};

/**
 * Protection by CRC-32 (that of node:zlib is four times as fast as one in JavaScript). `key` is any
 * unsigned 32-bit number that the whole cluster shares: it is the seed, so that clusters with
 * different keys drop each other's packets.
 */
export const createChecksumProtection = (key = 0): Protection => ({
  initiator: () => new ChecksumHandshake(key),
  responder: () => new ChecksumHandshake(key),
  mac: (input) => tagOf(key, input),
  isMac: (input, tag) => equalBytes(tagOf(key, input), tag),
  cookie: (input, period) => tagOf(scramble(key ^ COOKIE_SALT, period), input),
});
