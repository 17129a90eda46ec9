import { expect } from 'chai';
import fc from 'fast-check';
import { ByteReader } from '../../rudp/byte_reader.ts';
import { varintBytes, writeUint53, writeVarint } from '../../rudp/varint.ts';

const written = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  return bytes.subarray(0, writeVarint(bytes, 0, value));
};

describe('varint', () => {
  it('writes the examples of RFC 9000, appendix A.1', () => {
    expect([...written(494_878_333)]).to.eql([0x9d, 0x7f, 0x3e, 0x7d]);
    expect([...written(15_293)]).to.eql([0x7b, 0xbd]);
    expect([...written(37)]).to.eql([0x25]);
  });

  it('reads the 8-byte form of a number above 32 bits', () => {
    const bytes = Uint8Array.from([0xc0, 0x00, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8]);
    expect(new ByteReader(bytes).varint()).to.equal(0x197c_5eff_14e8);
  });

  it('reads back what it wrote, in the shortest form, up to 2^53 − 1', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 53 }), (seed, bits) => {
        const value = seed % 2 ** bits;
        const bytes = written(value);
        expect(bytes.length).to.equal(varintBytes(value));
        const reader = new ByteReader(bytes);
        expect(reader.varint()).to.equal(value);
        expect(reader.remaining).to.equal(0);
        expect(reader.failed()).to.equal(false);
      }),
    );
  });

  it('changes its length exactly at 2^6, 2^14 and 2^30', () => {
    const lengths = [63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30].map(varintBytes);
    expect(lengths).to.eql([1, 2, 2, 4, 4, 8]);
  });
});

describe('byte reader', () => {
  it('fails on numbers of 2^53 and above', () => {
    for (const first of [0xe0, 0xff]) {
      const reader = new ByteReader(Uint8Array.from([first, 0, 0, 0, 0, 0, 0, 0]));
      reader.varint();
      expect(reader.failed()).to.equal(true);
    }
    const reader = new ByteReader(Uint8Array.from([0, 0x20, 0, 0, 0, 0, 0, 0]));
    reader.uint53();
    expect(reader.failed()).to.equal(true);
    const greatest = new Uint8Array(8);
    writeUint53(greatest, 0, Number.MAX_SAFE_INTEGER);
    expect(new ByteReader(greatest).uint53()).to.equal(Number.MAX_SAFE_INTEGER);
  });

  it('reads nothing and fails past the end, for every kind of read', () => {
    const reads: ((reader: ByteReader) => unknown)[] = [
      (reader) => reader.uint8(),
      (reader) => reader.uint32(),
      (reader) => reader.uint53(),
      (reader) => reader.view(1),
    ];
    for (const read of reads) {
      const reader = new ByteReader(new Uint8Array(0));
      read(reader);
      expect(reader.failed()).to.equal(true);
    }
  });
});
