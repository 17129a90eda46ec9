import { expect } from 'chai';
import { createCipheriv } from 'node:crypto';
import { keyPairOf, NoiseHandshake } from '../../rudp/noise.ts';

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'hex');

/**
 * The vector of Noise_NNpsk0_25519_AESGCM_SHA256 in the cacophony set, as published with snow
 * (github.com/mcginty/snow, tests/vectors/cacophony.txt).
 */
const VECTOR = {
  prologue: '4a6f686e2047616c74',
  psk: '54686973206973206d7920417573747269616e20706572737065637469766521',
  initiatorEphemeral: '893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a',
  responderEphemeral: 'bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b',
  handshakeHash: '9f3b1f9afd7767767b5b9d1069844a6154fdbdcc36dfb3e31c0fffc5c973d530',
  handshake: [
    {
      payload: '4c756477696720766f6e204d69736573',
      ciphertext:
        'ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944' +
        '7c37a89fc17813788d30df2d59501d6066f5f8aecc3406bbd9829f2d24a531b1',
    },
    {
      payload: '4d757272617920526f746862617264',
      ciphertext:
        '95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843' +
        '2f29d79368ef9de4e1ae7a362fb05bf0ad668e026bf5714554497b3a720461',
    },
  ],
  /** Under the initiator's key, counter 0, and under the responder's, counter 0. */
  transport: [
    {
      payload: '462e20412e20486179656b',
      ciphertext: '7c01e898a6201f36aecee532e29cd0b7f8ffa29d3366ad0dce39a6',
    },
    {
      payload: '4361726c204d656e676572',
      ciphertext: 'a9ff535aace3db6a1da1a7fb00fe2de2622bb373abad9fb42c00e0',
    },
  ],
} as const;

const [first, second] = VECTOR.handshake;

const handshake = (ephemeral: string, psk: string = VECTOR.psk): NoiseHandshake =>
  new NoiseHandshake(bytesOf(psk), bytesOf(VECTOR.prologue), () => keyPairOf(bytesOf(ephemeral)));
const initiator = () => handshake(VECTOR.initiatorEphemeral);
const responder = (psk?: string) => handshake(VECTOR.responderEphemeral, psk);

describe('Noise NNpsk0', () => {
  it('writes and reads the messages of the published vector, and ends with its hash', () => {
    const [left, right] = [initiator(), responder()];
    expect(hex(left.writeFirst(bytesOf(first.payload)))).to.equal(first.ciphertext);
    expect(hex(right.readFirst(bytesOf(first.ciphertext)))).to.equal(first.payload);
    expect(hex(right.writeSecond(bytesOf(second.payload)))).to.equal(second.ciphertext);
    expect(hex(left.readSecond(bytesOf(second.ciphertext)))).to.equal(second.payload);
    expect(hex(left.hash)).to.equal(VECTOR.handshakeHash);
    expect(hex(right.hash)).to.equal(VECTOR.handshakeHash);
  });

  it('splits into the keys that the published transport messages are under', () => {
    const [left, right] = [initiator(), responder()];
    right.readFirst(left.writeFirst(new Uint8Array(0)));
    left.readSecond(right.writeSecond(new Uint8Array(0)));
    // Other payloads than the vector's leave the chaining key, and so the keys, as they are.
    expect(left.split()).to.eql(right.split());
    VECTOR.transport.forEach(({ payload, ciphertext }, index) => {
      const key = left.split()[index] ?? new Uint8Array(0);
      const cipher = createCipheriv('aes-256-gcm', key, new Uint8Array(12));
      const bytes = [cipher.update(bytesOf(payload)), cipher.final(), cipher.getAuthTag()];
      expect(hex(Buffer.concat(bytes))).to.equal(ciphertext);
    });
  });

  it('reads nothing with a flipped bit, cut short, or under another key', () => {
    const message = bytesOf(first.ciphertext);
    for (let at = 0; at < message.length; at += 1) {
      const damaged = message.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      expect(responder().readFirst(damaged), `byte ${at}`).to.equal(undefined);
      expect(responder().readFirst(message.subarray(0, at)), `length ${at}`).to.equal(undefined);
    }
    expect(responder('00'.repeat(32)).readFirst(message)).to.equal(undefined);
  });

  it('goes on after a forged message as if it had not come', () => {
    const [left, right] = [initiator(), responder()];
    const hello = left.writeFirst(bytesOf(first.payload));
    const forged = bytesOf(second.ciphertext);
    forged[40] = (forged[40] ?? 0) ^ 1;
    expect(right.readFirst(forged)).to.equal(undefined);
    right.readFirst(hello);
    expect(left.readSecond(forged)).to.equal(undefined);
    expect(left.readSecond(new Uint8Array(20))).to.equal(undefined);
    expect(hex(left.readSecond(right.writeSecond(bytesOf(second.payload))))).to.equal(
      second.payload,
    );
  });

  it('makes no key pair for a message that is forged', () => {
    let made = 0;
    const right = new NoiseHandshake(bytesOf(VECTOR.psk), bytesOf(VECTOR.prologue), () => {
      made += 1;
      return keyPairOf(bytesOf(VECTOR.responderEphemeral));
    });
    const hello = initiator().writeFirst(bytesOf(first.payload));
    const forged = Uint8Array.from(hello);
    forged[40] = (forged[40] ?? 0) ^ 1;
    expect(right.readFirst(forged)).to.equal(undefined);
    expect(made).to.equal(0);
    expect(hex(right.readFirst(hello))).to.equal(first.payload);
    right.writeSecond(new Uint8Array(1));
    expect(made).to.equal(1);
  });

  it('agrees on nothing with a key of low order', () => {
    // A member that sends the point 0: with it, every secret would be 0 (RFC 7748 §6.1).
    const { privateKey } = keyPairOf(bytesOf(VECTOR.initiatorEphemeral));
    const zero = { privateKey, publicKey: new Uint8Array(32) };
    const left = new NoiseHandshake(bytesOf(VECTOR.psk), bytesOf(VECTOR.prologue), () => zero);
    expect(responder().readFirst(left.writeFirst(new Uint8Array(4)))).to.equal(undefined);
  });
});
