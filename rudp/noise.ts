/** I/O: the handshake NNpsk0 of the Noise Protocol Framework (revision 34), by node:crypto. */

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto';

/** Nothing in this file is of rudp: the published test vectors run against it. */

/** 32 bytes, so that it is its own first handshake hash (§5.2). */
const PROTOCOL_NAME = 'Noise_NNpsk0_25519_AESGCM_SHA256';

/** Bytes of a pre-shared key, of a Curve25519 key and of a SHA-256 hash. */
export const KEY_BYTES = 32;
export const AEAD_TAG_BYTES = 16;
const NONCE_BYTES = 12;

/** What DER puts before the 32 bytes of a Curve25519 key (RFC 8410 §7 and §4). */
const PRIVATE_KEY_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_KEY_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** As it travels: 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The Curve25519 key pair whose secret scalar is these 32 bytes. */
export const keyPairOf = (secret: Uint8Array): KeyPair => {
  const key = Buffer.concat([PRIVATE_KEY_PREFIX, secret]);
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: new Uint8Array(der.subarray(PUBLIC_KEY_PREFIX.length)) };
};

/** @throws if the other side's key is a point of low order, which makes no secret. */
const agree = (privateKey: KeyObject, publicKey: Uint8Array): Uint8Array => {
  const key = Buffer.concat([PUBLIC_KEY_PREFIX, publicKey]);
  const theirs = createPublicKey({ key, format: 'der', type: 'spki' });
  return diffieHellman({ privateKey, publicKey: theirs });
};

const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
};

/** Three outputs of Noise's HKDF (§4.3); a call that needs two leaves the third. */
const hkdf = (
  chainingKey: Uint8Array,
  input: Uint8Array,
): readonly [Uint8Array, Uint8Array, Uint8Array] => {
  const temporary = hmac(chainingKey, input);
  const first = hmac(temporary, Uint8Array.of(1));
  const second = hmac(temporary, first, Uint8Array.of(2));
  return [first, second, hmac(temporary, second, Uint8Array.of(3))];
};

/** AESGCM's nonce: 32 zero bits, then the counter (§12.3). A handshake key encrypts once: 0. */
const FIRST_NONCE = new Uint8Array(NONCE_BYTES);

/** Noise's SymmetricState (§5.2); a key is used for one payload at most, so there is no counter. */
class SymmetricState {
  #chainingKey: Uint8Array = Buffer.from(PROTOCOL_NAME, 'ascii');
  #hash: Uint8Array = this.#chainingKey;
  #key: Uint8Array = new Uint8Array(KEY_BYTES);

  get hash(): Uint8Array {
    return this.#hash;
  }

  copy(): SymmetricState {
    const copy = new SymmetricState();
    copy.#chainingKey = this.#chainingKey;
    copy.#hash = this.#hash;
    copy.#key = this.#key;
    return copy;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = createHash('sha256').update(this.#hash).update(data).digest();
  }

  mixKey(input: Uint8Array): void {
    [this.#chainingKey, this.#key] = hkdf(this.#chainingKey, input);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hash, key] = hkdf(this.#chainingKey, input);
    this.#chainingKey = chainingKey;
    this.mixHash(hash);
    this.#key = key;
  }

  encryptAndHash(plain: Uint8Array): Uint8Array {
    const cipher = createCipheriv('aes-256-gcm', this.#key, FIRST_NONCE).setAAD(this.#hash);
    const bytes = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    this.mixHash(bytes);
    return bytes;
  }

  /** @throws if the tag does not fit. */
  decryptAndHash(bytes: Uint8Array): Uint8Array {
    const end = bytes.length - AEAD_TAG_BYTES;
    if (end < 0) throw new Error('shorter than a tag');
    const decipher = createDecipheriv('aes-256-gcm', this.#key, FIRST_NONCE);
    decipher.setAAD(this.#hash).setAuthTag(bytes.subarray(end));
    const plain = decipher.update(bytes.subarray(0, end));
    decipher.final();
    this.mixHash(bytes);
    return plain;
  }

  /** The keys of the initiator's and of the responder's messages. */
  split(): readonly [Uint8Array, Uint8Array] {
    const [first, second] = hkdf(this.#chainingKey, new Uint8Array(0));
    return [first, second];
  }
}

/**
 * One side of `NNpsk0: -> psk, e  <- e, ee`. A message that cannot be read leaves the state as it
 * was, so that forged ones do no harm.
 */
export class NoiseHandshake {
  readonly #makeEphemeral: () => KeyPair;
  #made: KeyPair | undefined;
  #state = new SymmetricState();
  /** At the responder: what both ephemeral keys agree on, once the first message is read. */
  #shared: Uint8Array | undefined;

  /** @param makeEphemeral called once, and at the responder not before a message was authentic. */
  constructor(psk: Uint8Array, prologue: Uint8Array, makeEphemeral: () => KeyPair) {
    this.#makeEphemeral = makeEphemeral;
    this.#state.mixHash(prologue);
    this.#state.mixKeyAndHash(psk);
  }

  /** To make a key pair costs a hundred times what it costs to find a message forged. */
  get #ephemeral(): KeyPair {
    this.#made ??= this.#makeEphemeral();
    return this.#made;
  }

  /** What both sides have agreed on so far; no secret. */
  get hash(): Uint8Array {
    return this.#state.hash;
  }

  /** The initiator's message: 32 bytes of key, then the payload and its tag. */
  writeFirst(payload: Uint8Array): Uint8Array {
    this.#mixEphemeral(this.#state, this.#ephemeral.publicKey);
    return Buffer.concat([this.#ephemeral.publicKey, this.#state.encryptAndHash(payload)]);
  }

  /** The payload of the initiator's message; undefined if it is forged or under another key. */
  readFirst(message: Uint8Array): Uint8Array | undefined {
    return this.#attempt((state) => {
      const remote = message.slice(0, KEY_BYTES);
      this.#mixEphemeral(state, remote);
      const payload = state.decryptAndHash(message.subarray(KEY_BYTES));
      this.#shared = agree(this.#ephemeral.privateKey, remote);
      return payload;
    });
  }

  /** The responder's message. */
  writeSecond(payload: Uint8Array): Uint8Array {
    if (this.#shared === undefined) throw new Error('no first message was read');
    this.#mixEphemeral(this.#state, this.#ephemeral.publicKey);
    this.#state.mixKey(this.#shared);
    return Buffer.concat([this.#ephemeral.publicKey, this.#state.encryptAndHash(payload)]);
  }

  /** The payload of the responder's message; undefined if it is forged or under another key. */
  readSecond(message: Uint8Array): Uint8Array | undefined {
    return this.#attempt((state) => {
      const remote = message.slice(0, KEY_BYTES);
      this.#mixEphemeral(state, remote);
      state.mixKey(agree(this.#ephemeral.privateKey, remote));
      return state.decryptAndHash(message.subarray(KEY_BYTES));
    });
  }

  /** The initiator's and the responder's secret, after both messages (§5.2, Split). */
  split(): readonly [Uint8Array, Uint8Array] {
    return this.#state.split();
  }

  /** The token `e`; where there are pre-shared keys, it is mixed into the key too (§9.2). */
  #mixEphemeral(state: SymmetricState, publicKey: Uint8Array): void {
    state.mixHash(publicKey);
    state.mixKey(publicKey);
  }

  /** What `read` makes of a copy of the state, which takes the state's place if it succeeds. */
  #attempt(read: (state: SymmetricState) => Uint8Array): Uint8Array | undefined {
    const state = this.#state.copy();
    try {
      const payload = read(state);
      this.#state = state;
      return payload;
    } catch {
      // Everything that node:crypto throws here is about the message.
      return undefined;
    }
  }
}
