/** I/O: the protection of an endpoint by pre-shared keys: Noise handshakes, AEAD packets, HMAC tags. */

import {
  createHmac,
  hkdfSync,
  randomBytes as secureRandomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { AeadPackets } from './aead_packets.ts';
import { RudpError } from './errors.ts';
import { MAX_KEYS, TAG_BYTES } from './limits.ts';
import { KEY_BYTES, keyPairOf, NoiseHandshake } from './noise.ts';
import type { HandshakeProtection, PacketProtection, Protection } from './protection.ts';
import { writeUint32 } from './varint.ts';

export interface NoiseOptions {
  /** Keys of 32 bytes: the first is used, all are accepted; 1 to `MAX_KEYS`. */
  readonly keys: readonly Uint8Array[];
  /** Unpredictable bytes; default: those of the system. */
  readonly randomBytes?: (count: number) => Uint8Array;
}

type RandomBytes = (count: number) => Uint8Array;

/** The side that dials; uses the first key. */
class Initiator implements HandshakeProtection {
  readonly #key: Uint8Array;
  readonly #randomBytes: RandomBytes;
  #noise: NoiseHandshake | undefined;

  constructor(key: Uint8Array, randomBytes: RandomBytes) {
    this.#key = key;
    this.#randomBytes = randomBytes;
  }

  write(payload: Uint8Array, associated: Uint8Array): Uint8Array {
    this.#noise = new NoiseHandshake(this.#key, associated, () =>
      keyPairOf(this.#randomBytes(KEY_BYTES)),
    );
    return this.#noise.writeFirst(payload);
  }

  read(message: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
    const payload = this.#noise?.readSecond(message);
    // The prologue is over, so what else is bound travels at the head of the payload.
    if (payload === undefined || payload.length < associated.length) return undefined;
    const bound = payload.subarray(0, associated.length);
    return timingSafeEqual(bound, associated) ? payload.subarray(associated.length) : undefined;
  }

  packets(): PacketProtection {
    const [ours, theirs] = this.#noise?.split() ?? [];
    if (ours === undefined || theirs === undefined) throw new Error('the handshake is not over');
    return new AeadPackets(ours, theirs);
  }
}

/** The side that is dialled; takes any of the keys. */
class Responder implements HandshakeProtection {
  readonly #keys: readonly Uint8Array[];
  readonly #randomBytes: RandomBytes;
  #noise: NoiseHandshake | undefined;

  constructor(keys: readonly Uint8Array[], randomBytes: RandomBytes) {
    this.#keys = keys;
    this.#randomBytes = randomBytes;
  }

  read(message: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
    const makeEphemeral = () => keyPairOf(this.#randomBytes(KEY_BYTES));
    for (const key of this.#keys) {
      const noise = new NoiseHandshake(key, associated, makeEphemeral);
      const payload = noise.readFirst(message);
      if (payload === undefined) continue;
      this.#noise = noise;
      return payload;
    }
    return undefined;
  }

  write(payload: Uint8Array, associated: Uint8Array): Uint8Array {
    if (this.#noise === undefined) throw new Error('nothing was read to answer');
    return this.#noise.writeSecond(Buffer.concat([associated, payload]));
  }

  packets(): PacketProtection {
    const [theirs, ours] = this.#noise?.split() ?? [];
    if (ours === undefined || theirs === undefined) throw new Error('the handshake is not over');
    return new AeadPackets(ours, theirs);
  }
}

const tagOf = (key: Uint8Array, input: Uint8Array): Uint8Array =>
  createHmac('sha256', key).update(input).digest().subarray(0, TAG_BYTES);

/** The secret that makes cookies; a new one for every period, which nobody else knows. */
class CookieSecret {
  readonly #root: Uint8Array;
  #period = -1;
  #secret: Uint8Array = new Uint8Array(0);

  constructor(root: Uint8Array) {
    this.#root = root;
  }

  of(period: number): Uint8Array {
    if (period !== this.#period) {
      const input = new Uint8Array(4);
      writeUint32(input, 0, period);
      this.#secret = createHmac('sha256', this.#root).update(input).digest();
      this.#period = period;
    }
    return this.#secret;
  }
}

const checkKeys = (keys: readonly Uint8Array[]): void => {
  if (keys.length < 1 || keys.length > MAX_KEYS) {
    throw new RudpError('invalid', `there are ${keys.length} keys; there must be 1 to ${MAX_KEYS}`);
  }
  const wrong = keys.find((key) => key.length !== KEY_BYTES);
  if (wrong !== undefined) {
    throw new RudpError('invalid', `a key has ${wrong.length} bytes; it must have ${KEY_BYTES}`);
  }
};

/**
 * Protection under keys that all peers share. Keys are changed without a break by adding the new one
 * as second everywhere, then making it the first everywhere, then dropping the old one.
 * @throws RudpError 'invalid' for keys of another number or length.
 */
export const createNoiseProtection = (options: NoiseOptions): Protection => {
  checkKeys(options.keys);
  const randomBytes: RandomBytes = options.randomBytes ?? ((count) => secureRandomBytes(count));
  const keys = options.keys.map((key) => key.slice());
  const macKeys = keys.map(
    (key) => new Uint8Array(hkdfSync('sha256', key, '', 'rudp stateless', KEY_BYTES)),
  );
  const [first = new Uint8Array(0)] = keys;
  const [macKey = new Uint8Array(0)] = macKeys;
  const cookieSecret = new CookieSecret(randomBytes(KEY_BYTES));
  return {
    initiator: () => new Initiator(first, randomBytes),
    responder: () => new Responder(keys, randomBytes),
    mac: (input) => tagOf(macKey, input),
    isMac: (input, tag) =>
      tag.length === TAG_BYTES && macKeys.some((key) => timingSafeEqual(tagOf(key, input), tag)),
    cookie: (input, period) => tagOf(cookieSecret.of(period), input),
  };
};
