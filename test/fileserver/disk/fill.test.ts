import { expect } from 'chai';
import { checkFill, fillByte, fillContents } from '../../../fileserver/disk/fill.ts';
import { FILE_BYTES_MAX, FILES_MAX } from '../../../fileserver/disk/layout.ts';

describe('the fill of a fresh file', () => {
  it('tells the file and the offset', () => {
    const text = String.fromCharCode(...fillContents(12, 64));
    expect(text).to.equal('file 0000000012 at 0000000000 | file 0000000012 at 0000000032 | ');
  });

  it('is printable, and the same byte by byte, for any size and the last file', () => {
    for (const size of [0, 1, 31, 32, 33, 1_000]) {
      for (const fill of [undefined, 'x', ' ', '~']) {
        const bytes = fillContents(FILES_MAX - 1, size, fill);
        expect(bytes).to.have.length(size);
        bytes.forEach((byte, at) => {
          expect(byte).to.equal(fillByte(FILES_MAX - 1, at, fill));
          expect(byte).to.be.within(0x20, 0x7e);
        });
      }
    }
    expect(String.fromCharCode(fillByte(FILES_MAX - 1, FILE_BYTES_MAX - 1))).to.equal(' ');
  });

  it('is one printable character, or none', () => {
    for (const good of [undefined, ' ', '~', 'x']) {
      expect(() => {
        checkFill(good);
      }).not.to.throw();
    }
    for (const bad of ['', 'xy', '\x1f', '\x7f', 'ä', '\n']) {
      expect(() => {
        checkFill(bad);
      }).to.throw('must be one printable ASCII character');
    }
  });
});
