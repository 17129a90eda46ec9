/** I/O: packets of one connection under AES-128-GCM, by node:crypto. */

import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { REPLAY_WINDOW } from './limits.ts';
import { AEAD_TAG_BYTES, KEY_BYTES } from './noise.ts';
import type { PacketProtection } from './protection.ts';

const CIPHER = 'aes-128-gcm';
const CIPHER_KEY_BYTES = 16;
const NONCE_BYTES = 12;
/** Of the nonce, the last eight bytes take the packet number. */
const NUMBER_AT = 4;
const KEY_PHASE_BIT = 1;

/** The keys of one direction between two key updates. */
interface Generation {
  readonly index: number;
  readonly secret: Uint8Array;
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

const derive = (secret: Uint8Array, label: string, bytes: number): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', secret, '', `rudp ${label}`, bytes));

const generationOf = (secret: Uint8Array, index: number): Generation => ({
  index,
  secret,
  key: derive(secret, 'key', CIPHER_KEY_BYTES),
  iv: derive(secret, 'iv', NONCE_BYTES),
});

const after = ({ secret, index }: Generation): Generation =>
  generationOf(derive(secret, 'ku', KEY_BYTES), index + 1);

const phaseOf = ({ index }: Generation): number => index & KEY_PHASE_BIT;

/**
 * The frames of a packet are encrypted, its header is authenticated with them (RFC 9001 §5.3). Keys
 * change as in §6; the lowest bit of a data packet's first byte is the key phase.
 */
export class AeadPackets implements PacketProtection {
  readonly overhead = AEAD_TAG_BYTES;
  #sending: Generation;
  #receiving: Generation;
  /** Tried on the first packet of the other phase; made ahead, so that its time tells nothing. */
  #next: Generation;
  /** For packets that were overtaken by a key update. */
  #previous: Generation | undefined;
  /** The least packet number that came under `#receiving`. */
  #firstReceived = 0;
  #lastSealed = -1;
  readonly #nonce = new Uint8Array(NONCE_BYTES);

  /** Secrets of `KEY_BYTES` bytes, one for each direction. */
  constructor(sendSecret: Uint8Array, receiveSecret: Uint8Array) {
    this.#sending = generationOf(sendSecret, 0);
    this.#receiving = generationOf(receiveSecret, 0);
    this.#next = after(this.#receiving);
  }

  get generation(): number {
    return this.#sending.index;
  }

  update(): void {
    this.#sending = after(this.#sending);
  }

  seal(buffer: Uint8Array, headerBytes: number, end: number, packetNumber: number): number {
    // Two packets under one nonce would give their contents and the key of the tags away.
    if (packetNumber <= this.#lastSealed) throw new Error(`packet ${packetNumber} is sealed twice`);
    this.#lastSealed = packetNumber;
    buffer[0] = ((buffer[0] ?? 0) & ~KEY_PHASE_BIT) | phaseOf(this.#sending);
    const nonce = this.#nonceOf(this.#sending, packetNumber);
    const cipher = createCipheriv(CIPHER, this.#sending.key, nonce);
    cipher.setAAD(buffer.subarray(0, headerBytes));
    buffer.set(cipher.update(buffer.subarray(headerBytes, end)), headerBytes);
    cipher.final();
    buffer.set(cipher.getAuthTag(), end);
    return end + AEAD_TAG_BYTES;
  }

  open(datagram: Uint8Array, headerBytes: number, packetNumber: number): Uint8Array | undefined {
    if (datagram.length < headerBytes + AEAD_TAG_BYTES) return undefined;
    if (((datagram[0] ?? 0) & KEY_PHASE_BIT) === phaseOf(this.#receiving)) {
      const payload = this.#decrypt(this.#receiving, datagram, headerBytes, packetNumber);
      if (payload !== undefined) this.#note(packetNumber);
      return payload;
    }
    // The previous and the next keys share a phase; the numbers tell them apart (RFC 9001 §6.5).
    if (packetNumber < this.#firstReceived) {
      return this.#previous && this.#decrypt(this.#previous, datagram, headerBytes, packetNumber);
    }
    const payload = this.#decrypt(this.#next, datagram, headerBytes, packetNumber);
    if (payload !== undefined) this.#follow(packetNumber);
    return payload;
  }

  #note(packetNumber: number): void {
    if (packetNumber < this.#firstReceived) this.#firstReceived = packetNumber;
    // What is older than the replay window is not taken anyway.
    else if (packetNumber >= this.#firstReceived + REPLAY_WINDOW) this.#previous = undefined;
  }

  /** The peer has updated its keys; ours follow (§6.2). */
  #follow(packetNumber: number): void {
    this.#previous = this.#receiving;
    this.#receiving = this.#next;
    this.#next = after(this.#receiving);
    this.#firstReceived = packetNumber;
    if (this.#sending.index < this.#receiving.index) this.update();
  }

  /** The iv with the 64-bit packet number folded in (§5.3). */
  #nonceOf({ iv }: Generation, packetNumber: number): Uint8Array {
    const nonce = this.#nonce;
    nonce.set(iv);
    const high = Math.floor(packetNumber / 0x1_0000_0000);
    for (let index = 0; index < 4; index += 1) {
      const shift = 24 - 8 * index;
      nonce[NUMBER_AT + index] = (nonce[NUMBER_AT + index] ?? 0) ^ (high >>> shift);
      nonce[NUMBER_AT + 4 + index] = (nonce[NUMBER_AT + 4 + index] ?? 0) ^ (packetNumber >>> shift);
    }
    return nonce;
  }

  #decrypt(
    generation: Generation,
    datagram: Uint8Array,
    headerBytes: number,
    packetNumber: number,
  ): Uint8Array | undefined {
    const end = datagram.length - AEAD_TAG_BYTES;
    const nonce = this.#nonceOf(generation, packetNumber);
    const decipher = createDecipheriv(CIPHER, generation.key, nonce);
    decipher.setAAD(datagram.subarray(0, headerBytes));
    decipher.setAuthTag(datagram.subarray(end));
    const payload = decipher.update(datagram.subarray(headerBytes, end));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return payload;
  }
}
