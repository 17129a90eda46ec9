import { expect } from 'chai';
import { AeadPackets } from '../../rudp/aead_packets.ts';
import { REPLAY_WINDOW } from '../../rudp/limits.ts';

const HEADER = 13;
const SECRETS = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const;

const pair = () => ({
  left: new AeadPackets(SECRETS[0], SECRETS[1]),
  right: new AeadPackets(SECRETS[1], SECRETS[0]),
});

const seal = (from: AeadPackets, number: number, text = `packet ${number}`): Uint8Array => {
  const payload = new TextEncoder().encode(text);
  const buffer = new Uint8Array(HEADER + payload.length + from.overhead);
  buffer.fill(6, 0, HEADER);
  buffer.set(payload, HEADER);
  expect(from.seal(buffer, HEADER, HEADER + payload.length, number)).to.equal(buffer.length);
  return buffer;
};

const open = (by: AeadPackets, packet: Uint8Array, number: number): string | undefined => {
  const payload = by.open(packet, HEADER, number);
  return payload && new TextDecoder().decode(payload);
};

describe('AEAD packets', () => {
  it('open at the other side only, and show nothing of what is in them', () => {
    const { left, right } = pair();
    const packet = seal(left, 0, 'a secret');
    expect(Buffer.from(packet).includes('secret')).to.equal(false);
    expect(open(right, packet, 0)).to.equal('a secret');
    expect(open(left, packet, 0)).to.equal(undefined);
    expect(open(new AeadPackets(SECRETS[1], new Uint8Array(32)), packet, 0)).to.equal(undefined);
  });

  it('do not open with any bit flipped, in the header neither, nor under another number', () => {
    const { left, right } = pair();
    const packet = seal(left, 9);
    for (let bit = 0; bit < 8 * packet.length; bit += 1) {
      const damaged = packet.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(open(right, damaged, 9), `bit ${bit}`).to.equal(undefined);
    }
    for (const number of [8, 10, 9 + 2 ** 32]) {
      expect(open(right, packet, number)).to.equal(undefined);
    }
    expect(open(right, packet.subarray(0, HEADER + 15), 9)).to.equal(undefined);
    expect(open(right, packet, 9)).to.equal('packet 9');
  });

  it('have nonces of the whole packet number, up to 2^53', () => {
    const { left, right } = pair();
    const contents = new Set<string>();
    for (const number of [0, 1, 255, 256, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) {
      const packet = seal(left, number, 'the same');
      contents.add(Buffer.from(packet.subarray(HEADER)).toString('hex'));
      expect(open(right, packet, number)).to.equal('the same');
    }
    expect(contents.size).to.equal(8);
  });

  it('are never sealed twice under one number', () => {
    const { left } = pair();
    seal(left, 5);
    expect(() => seal(left, 5)).to.throw('sealed twice');
    expect(() => seal(left, 4)).to.throw('sealed twice');
  });

  it('change keys when one side does, and the other follows', () => {
    const { left, right } = pair();
    expect(open(right, seal(left, 0), 0)).to.equal('packet 0');
    for (let update = 1; update <= 5; update += 1) {
      left.update();
      const packet = seal(left, update);
      expect((packet[0] ?? 0) & 1).to.equal(update & 1);
      expect(open(right, packet, update)).to.equal(`packet ${update}`);
      expect([left.generation, right.generation]).to.eql([update, update]);
      expect(open(left, seal(right, update), update)).to.equal(`packet ${update}`);
    }
  });

  it('change keys once if both sides do it at the same time', () => {
    const { left, right } = pair();
    left.update();
    right.update();
    const [there, back] = [seal(left, 0), seal(right, 0)];
    expect(open(right, there, 0)).to.equal('packet 0');
    expect(open(left, back, 0)).to.equal('packet 0');
    expect([left.generation, right.generation]).to.eql([1, 1]);
  });

  it('that a key update has overtaken still open, and later ones under the old key do not', () => {
    const { left, right } = pair();
    const [early, late] = [seal(left, 0), seal(left, 1)];
    left.update();
    expect(open(right, seal(left, 2), 2)).to.equal('packet 2');
    expect(open(right, late, 1)).to.equal('packet 1');
    expect(open(right, early, 0)).to.equal('packet 0');
    // The old key is out of use from packet 2 on.
    const stale = new AeadPackets(SECRETS[0], SECRETS[1]);
    expect(open(right, seal(stale, 3), 3)).to.equal(undefined);
  });

  it('under the key before open until the replay window has gone over them', () => {
    const { left, right } = pair();
    const [first, second] = [seal(left, 0), seal(left, 1)];
    left.update();
    open(right, seal(left, 2), 2);
    open(right, seal(left, 1 + REPLAY_WINDOW), 1 + REPLAY_WINDOW);
    expect(open(right, first, 0)).to.equal('packet 0');
    open(right, seal(left, 2 + REPLAY_WINDOW), 2 + REPLAY_WINDOW);
    expect(open(right, second, 1)).to.equal(undefined);
  });

  it('that are forged change no key', () => {
    const { left, right } = pair();
    const forged = seal(left, 0);
    forged[0] = 7;
    expect(open(right, forged, 0)).to.equal(undefined);
    expect(right.generation).to.equal(0);
    expect(open(right, seal(left, 1), 1)).to.equal('packet 1');
  });
});
