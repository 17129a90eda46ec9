import { expect } from 'chai';
import { RudpError } from '../../rudp/errors.ts';
import { MAX_KEYS } from '../../rudp/limits.ts';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';

const keyOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const protectionOf = (...fills: number[]) => createNoiseProtection({ keys: fills.map(keyOf) });
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && new TextDecoder().decode(bytes);
const BOUND = text('what both sides know');

/** True if a handshake from the one to the other comes about. */
const meet = (
  from: ReturnType<typeof protectionOf>,
  to: ReturnType<typeof protectionOf>,
): boolean => {
  const [initiator, responder] = [from.initiator(), to.responder()];
  const hello = responder.read(initiator.write(text('hello'), BOUND), BOUND);
  if (hello === undefined) return false;
  expect(read(hello)).to.equal('hello');
  const header = text('header');
  expect(read(initiator.read(responder.write(text('welcome'), header), header))).to.equal(
    'welcome',
  );
  const packet = new Uint8Array(40);
  const end = initiator.packets().seal(packet, 13, 20, 0);
  expect(responder.packets().open(packet.subarray(0, end), 13, 0)).to.eql(Buffer.alloc(7));
  return true;
};

describe('protection by pre-shared keys', () => {
  it('lets in who has one of the keys, by the first key of the one who dials', () => {
    expect(meet(protectionOf(1), protectionOf(1))).to.equal(true);
    expect(meet(protectionOf(1), protectionOf(2))).to.equal(false);
    expect(meet(protectionOf(1), protectionOf(2, 3, 1))).to.equal(true);
    expect(meet(protectionOf(2, 1), protectionOf(1))).to.equal(false);
  });

  it('lets keys be changed in three steps without a break', () => {
    const steps = [[1], [1, 2], [2, 1], [2]];
    for (let step = 1; step < steps.length; step += 1) {
      // While the step is under way, some nodes have taken it and some have not.
      const [before = [], after = []] = [steps[step - 1], steps[step]];
      expect(meet(protectionOf(...before), protectionOf(...after)), `to ${step}`).to.equal(true);
      expect(meet(protectionOf(...after), protectionOf(...before)), `from ${step}`).to.equal(true);
    }
  });

  it('binds both messages to what goes with them', () => {
    const protection = protectionOf(1);
    const [initiator, responder] = [protection.initiator(), protection.responder()];
    const hello = initiator.write(text('hello'), BOUND);
    expect(responder.read(hello, text('something else'))).to.equal(undefined);
    responder.read(hello, BOUND);
    const welcome = responder.write(text('welcome'), text('id 1'));
    expect(initiator.read(welcome, text('id 2'))).to.equal(undefined);
    expect(protection.initiator().read(welcome, text('id 1'))).to.equal(undefined);
  });

  it('makes other keys for every connection', () => {
    const protection = protectionOf(1);
    const sealed = new Set<string>();
    for (let count = 0; count < 10; count += 1) {
      const [initiator, responder] = [protection.initiator(), protection.responder()];
      responder.read(initiator.write(BOUND, BOUND), BOUND);
      initiator.read(responder.write(BOUND, BOUND), BOUND);
      const packet = new Uint8Array(40);
      initiator.packets().seal(packet, 13, 20, 0);
      sealed.add(Buffer.from(packet).toString('hex'));
    }
    expect(sealed.size).to.equal(10);
  });

  it('takes tags under any of its keys, and cookies of its own alone', () => {
    const input = text('input');
    const [old, both] = [protectionOf(1), protectionOf(2, 1)];
    expect(both.isMac(input, old.mac(input))).to.equal(true);
    expect(old.isMac(input, both.mac(input))).to.equal(false);
    expect(both.isMac(text('other'), both.mac(input))).to.equal(false);
    expect(both.isMac(input, both.mac(input).subarray(1))).to.equal(false);
    expect(old.cookie(input, 3)).to.eql(old.cookie(input, 3));
    expect(old.cookie(input, 3)).not.to.eql(old.cookie(input, 4));
    expect(old.cookie(input, 3)).not.to.eql(protectionOf(1).cookie(input, 3));
  });

  it(`takes 1 to ${MAX_KEYS} keys of 32 bytes`, () => {
    const keys = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
    expect(meet(protectionOf(MAX_KEYS), protectionOf(...keys(MAX_KEYS)))).to.equal(true);
    expect(() => protectionOf(...keys(MAX_KEYS + 1))).to.throw(RudpError, `1 to ${MAX_KEYS}`);
    expect(() => protectionOf()).to.throw(RudpError, 'there are 0 keys');
    for (const length of [31, 33]) {
      const create = () => createNoiseProtection({ keys: [new Uint8Array(length)] });
      expect(create).to.throw(RudpError, `a key has ${length} bytes`);
    }
  });
});
