import { expect } from 'chai';
import fc from 'fast-check';
import { crc32c } from '../../rudp/crc32c.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('crc32c', () => {
  it('gives the check value and the vectors of RFC 3720, appendix B.4', () => {
    expect(crc32c(ascii('123456789'), 0, 9)).to.equal(0xe3069283);
    expect(crc32c(new Uint8Array(32), 0, 32)).to.equal(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff), 0, 32)).to.equal(0x62a8ab43);
    const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
    expect(crc32c(ascending, 0, 32)).to.equal(0x46dd794e);
  });

  it('is what the polynomial says bit by bit, at every length around a step', () => {
    const bytes = Uint8Array.from({ length: 70 }, (_, index) => (index * 37 + 11) & 0xff);
    let crc = ~0;
    for (let length = 1; length <= bytes.length; length += 1) {
      crc ^= bytes[length - 1] ?? 0;
      for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      expect(crc32c(bytes, 0, length), `length ${length}`).to.equal(~crc >>> 0);
    }
  });

  it('of a whole is that of its second part seeded with that of the first', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        const first = crc32c(bytes, 0, cut);
        expect(crc32c(bytes, cut, bytes.length, first)).to.equal(crc32c(bytes, 0, bytes.length));
      }),
    );
  });
});
