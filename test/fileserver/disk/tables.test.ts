import { expect } from 'chai';
import { decodeAllocationEntry } from '../../../fileserver/disk/allocation_table.ts';
import { Fifo } from '../../../fileserver/disk/fifo.ts';
import { formatPieces, formatSuperblocks } from '../../../fileserver/disk/format.ts';
import { fullFreeMapPage, problemOfFreeMapPage } from '../../../fileserver/disk/free_map.ts';
import { computeLayout, FREE_MAP_PAGE_BITS } from '../../../fileserver/disk/layout.ts';
import { decodeNodeEntry, encodeNodeEntry } from '../../../fileserver/disk/node_table.ts';
import type { Superblock } from '../../../fileserver/disk/superblock.ts';
import {
  decodeSuperblock,
  encodeSuperblock,
  newestSuperblock,
  REGIONS_MAX,
} from '../../../fileserver/disk/superblock.ts';
import { getUint53, isUint53, putUint53, viewOf } from '../../../fileserver/disk/uint53.ts';
import { file, node, refusal, SMALL } from './disk_run.ts';
import { FakeDisk } from './fake_disk.ts';
import { crc32c } from '../../../protocol/crc32c.ts';

const MAX = 2 ** 53 - 1;
const SUPERBLOCK: Superblock = {
  sequence: MAX,
  volumeId: '000102030405060708090a0b0c0d0eff',
  geometry: { files: 2 ** 24, blockSizeBytes: 131_072, blocksPerFile: 65_536 },
  fill: '~',
  journalSalt: 2 ** 32 - 1,
  clusterEpoch: MAX,
  longestLeaseMs: 400.5,
  head: { position: MAX, sequence: MAX },
  regions: Array.from({ length: REGIONS_MAX }, (_, kind) => ({ kind, offset: MAX, length: kind })),
};

describe('a superblock', () => {
  it('is decoded as it was encoded, at the bounds of its numbers', () => {
    expect(decodeSuperblock(encodeSuperblock(SUPERBLOCK))).to.deep.equal(SUPERBLOCK);
    const unfilled = { ...SUPERBLOCK, fill: undefined, regions: [] };
    expect(decodeSuperblock(encodeSuperblock(unfilled))).to.deep.equal(unfilled);
  });

  it(`lists ${REGIONS_MAX} regions, and not one more`, () => {
    const more = [...SUPERBLOCK.regions, { kind: 1, offset: 0, length: 0 }];
    expect(() => encodeSuperblock({ ...SUPERBLOCK, regions: more })).to.throw(`${REGIONS_MAX}`);
  });

  it('shows every flipped bit', () => {
    const bytes = encodeSuperblock(SUPERBLOCK);
    for (let bit = 0; bit < bytes.length * 8; bit += bit < 800 ? 1 : 97) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit % 8);
      expect(decodeSuperblock(flipped), `bit ${bit}`).to.be.a('string');
    }
  });

  it('whose checksum is right and whose numbers are none of ours is none', () => {
    const changed = (at: number, value: number): unknown => {
      const bytes = encodeSuperblock({ ...SUPERBLOCK, longestLeaseMs: 400 });
      bytes[at] = value;
      const checksum = crc32c(bytes.subarray(16), crc32c(bytes.subarray(0, 12)));
      new DataView(bytes.buffer).setUint32(12, checksum, true);
      return decodeSuperblock(bytes);
    };
    expect(changed(0, 'c'.charCodeAt(0))).to.be.an('object');
    // The highest byte of a region's offset, one of the fill's, and the sign of the longest lease.
    expect(changed(96 + 15, 0x20)).to.match(/2\^53 or more/);
    expect(changed(88 + 2, 1)).to.match(/fill is the character/);
    expect(changed(64 + 7, 0xff)).to.match(/longest lease/);
  });

  it('is the newer of the two that are good', () => {
    const image = new Uint8Array(8_192);
    for (const [first, second, newest] of [
      [4, 5, 5],
      [6, 5, 6],
    ] as const) {
      image.set(encodeSuperblock({ ...SUPERBLOCK, sequence: first }));
      image.set(encodeSuperblock({ ...SUPERBLOCK, sequence: second }), 4_096);
      expect(newestSuperblock(image)).to.include({ sequence: newest });
      const damaged = image.slice();
      damaged[newest === first ? 100 : 4_196]! ^= 1;
      expect(newestSuperblock(damaged)).to.include({ sequence: newest === first ? second : first });
    }
  });
});

describe('the tables of the volume', () => {
  it('hold names of 1 to 32 letters, and know free entries from damaged ones', () => {
    for (const name of ['a', 'n'.repeat(32), 'A-z.0_9']) {
      const bytes = encodeNodeEntry(node(name));
      expect(decodeNodeEntry(bytes)).to.deep.equal({ tag: 'name', name });
      bytes[5]! ^= 1;
      expect(decodeNodeEntry(bytes)).to.deep.equal({ tag: 'damaged' });
    }
    expect(decodeNodeEntry(encodeNodeEntry(node('')))).to.deep.equal({ tag: 'damaged' });
    expect(decodeNodeEntry(new Uint8Array(64))).to.deep.equal({ tag: 'free' });
  });

  it('mark every block as used, to the last bit of the last page', () => {
    for (const blocks of [1, 7, 8, 9, FREE_MAP_PAGE_BITS - 1, FREE_MAP_PAGE_BITS]) {
      const page = fullFreeMapPage(0, blocks);
      const set = page
        .subarray(0, 4_092)
        .reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
      expect(set).to.equal(blocks);
      expect(problemOfFreeMapPage(page, 0, blocks)).to.equal(undefined);
      expect(problemOfFreeMapPage(page, 1, blocks + FREE_MAP_PAGE_BITS)).to.match(/checksum/);
      if (blocks > 1) expect(problemOfFreeMapPage(page, 0, blocks - 1)).to.match(/does not say/);
    }
  });

  it('show an allocation entry of another file, and one that points outside', () => {
    const layout = computeLayout(SMALL);
    const [table] = formatPieces(layout, undefined);
    const entry = table!.bytes.subarray(512, 768);
    expect(decodeAllocationEntry(entry, file(2), layout)).to.include({ file: 2, firstBlock: 6 });
    expect(decodeAllocationEntry(entry, file(3), layout)).to.equal('its checksum is wrong');
    const fewer = computeLayout({ ...SMALL, files: 2 });
    expect(decodeAllocationEntry(entry, file(2), fewer)).to.match(/outside the volume/);
    const shorter = computeLayout({ ...SMALL, blocksPerFile: 2 });
    expect(decodeAllocationEntry(entry, file(2), shorter)).to.equal('it claims 3 blocks');
  });

  it('are refused when more entries are damaged than are remembered', () => {
    for (const [damaged, reason] of [
      [65_536, /^the allocation table's entry of file 0 at/],
      [65_537, /^more than 65536 entries/],
    ] as const) {
      const geometry = { files: damaged, blockSizeBytes: 1, blocksPerFile: 1 };
      const layout = computeLayout(geometry, 16_384);
      const image = new Uint8Array(layout.imageSizeBytes);
      const volume = { volumeId: SUPERBLOCK.volumeId, journalSalt: 1, fill: undefined };
      for (const { offset, bytes } of formatSuperblocks(layout, volume)) image.set(bytes, offset);
      expect(refusal(new FakeDisk(image, 1))).to.match(reason);
    }
  });
});

describe('numbers below 2^53', () => {
  it('are stored exactly, and no others are', () => {
    const view = viewOf(new Uint8Array(8));
    for (const value of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
      putUint53(view, 0, value);
      expect(getUint53(view, 0)).to.equal(value);
    }
    for (const value of [-1, 0.5, 2 ** 53, NaN]) {
      expect(() => {
        putUint53(view, 0, value);
      }).to.throw('is not a whole number');
    }
    view.setUint32(4, 2 ** 21, true);
    expect(isUint53(getUint53(view, 0))).to.equal(false);
  });
});

describe('a queue', () => {
  it('gives everything back in order, over its compactions', () => {
    const queue = new Fifo<number>();
    let taken = 0;
    for (let put = 0; put < 10_000; put++) {
      queue.push(put);
      if (put % 3 !== 0) expect(queue.shift()).to.equal(taken++);
      expect(queue.length).to.equal(put + 1 - taken);
    }
    expect(queue.shift()).to.equal(taken++);
    expect(queue.drain()).to.deep.equal(
      Array.from({ length: 10_000 - taken }, (_, at) => taken + at),
    );
    expect(queue.shift()).to.equal(undefined);
  });
});
