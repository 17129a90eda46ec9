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
