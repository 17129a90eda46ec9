import { expect } from 'chai';
import { crc32c } from '../../protocol/crc32c.ts';

/** One bit at a time, straight from the definition: slow, and nothing to get wrong. */
const bitByBit = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
};

const sample = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 167 + (at >> 3) * 29 + 5) & 0xff);

describe('crc32c', () => {
  it('gives the values of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).to.equal(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).to.equal(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at))).to.equal(0x46dd794e);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, at) => 31 - at))).to.equal(0x113fdb5c);
  });

  it('gives the check value of the CRC catalogues, and 0 for nothing', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).to.equal(0xe3069283);
    expect(crc32c(new Uint8Array(0))).to.equal(0);
  });

  it('agrees with the definition at every length around the slices', () => {
    for (let length = 0; length < 70; length++) {
      expect(crc32c(sample(length)), `length ${length}`).to.equal(bitByBit(sample(length)));
    }
  });

  it('continues a checksum over any cut', () => {
    const whole = sample(61);
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(crc32c(whole.subarray(cut), crc32c(whole.subarray(0, cut)))).to.equal(crc32c(whole));
    }
  });
});
