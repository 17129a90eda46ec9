import { expect } from 'chai';
import fc from 'fast-check';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';

const HEADER = 13;

const packets = (key = 0) => createChecksumProtection(key).initiator().packets();

describe('checksum protection', () => {
  it('opens what it sealed, and gives the payload back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: HEADER, maxLength: 200 }), fc.nat(), (bytes, key) => {
        const protection = packets(key);
        const buffer = new Uint8Array(300);
        buffer.set(bytes);
        const end = protection.seal(buffer, HEADER, bytes.length, 7);
        expect(end).to.equal(bytes.length + protection.overhead);
        const payload = protection.open(buffer.subarray(0, end), HEADER, 7);
        expect([...(payload ?? [])]).to.eql([...bytes.subarray(HEADER)]);
      }),
    );
  });

  it('opens nothing with a flipped bit, of another key, or shorter than a header', () => {
    const buffer = new Uint8Array(40).fill(5);
    const end = packets().seal(buffer, HEADER, 30, 0);
    const sealed = buffer.subarray(0, end);
    expect(packets(1).open(sealed, HEADER, 0)).to.equal(undefined);
    for (let bit = 0; bit < 8 * end; bit += 1) {
      const damaged = sealed.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(packets().open(damaged, HEADER, 0)).to.equal(undefined);
    }
    const short = packets().seal(buffer, HEADER, HEADER - 1, 0);
    expect(packets().open(buffer.subarray(0, short), HEADER, 0)).to.equal(undefined);
    expect(packets().open(new Uint8Array(0), HEADER, 0)).to.equal(undefined);
  });

  it('binds a handshake message to what goes with it', () => {
    const protection = createChecksumProtection(9);
    const initiator = () => protection.initiator();
    const responder = () => protection.responder();
    const associated = Uint8Array.from([1, 2, 3]);
    const message = initiator().write(Uint8Array.from([4, 5]), associated);
    expect([...(responder().read(message, associated) ?? [])]).to.eql([4, 5]);
    expect(responder().read(message, Uint8Array.from([1, 2, 4]))).to.equal(undefined);
    expect(responder().read(new Uint8Array(3), associated)).to.equal(undefined);
  });

  it('makes tags of 16 bytes that depend on input and key', () => {
    const tag = (key: number, text: string) =>
      createChecksumProtection(key).mac(new TextEncoder().encode(text)).join();
    expect(tag(1, 'a').split(',').length).to.equal(16);
    expect(new Set([tag(1, 'a'), tag(1, 'b'), tag(2, 'a')]).size).to.equal(3);
    expect(tag(1, 'a')).to.equal(tag(1, 'a'));
  });

  it('makes cookies that are no tags, and differ from period to period', () => {
    const { mac, cookie, isMac } = createChecksumProtection(3);
    const input = Uint8Array.from([1, 2, 3]);
    expect(isMac(input, mac(input))).to.equal(true);
    expect(isMac(input, cookie(input, 0))).to.equal(false);
    expect(cookie(input, 7)).to.eql(cookie(input, 7));
    expect(cookie(input, 7)).not.to.eql(cookie(input, 8));
  });
});
