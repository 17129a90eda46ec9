import { expect } from 'chai';
import type { Region } from '../../../fileserver/disk/layout.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCKS_PER_FILE_MAX,
  checkGeometry,
  computeLayout,
  FILE_BYTES_MAX,
  FILES_MAX,
  JOURNAL_BYTES_DEFAULT,
  JOURNAL_BYTES_MAX,
  journalBytesMin,
  layoutOf,
  SECTOR_BYTES,
} from '../../../fileserver/disk/layout.ts';
import type { Geometry } from '../../../protocol/ids.ts';

const DEFAULT: Geometry = { files: 256, blockSizeBytes: 128, blocksPerFile: 8 };
const EXTREMES: Geometry[] = [
  DEFAULT,
  { files: 1, blockSizeBytes: 1, blocksPerFile: 1 },
  { files: FILES_MAX, blockSizeBytes: 1, blocksPerFile: 1 },
  { files: FILES_MAX, blockSizeBytes: BLOCK_BYTES_MAX, blocksPerFile: 128 },
  { files: FILES_MAX, blockSizeBytes: 256, blocksPerFile: BLOCKS_PER_FILE_MAX },
  { files: 7, blockSizeBytes: 4_097, blocksPerFile: 3 },
];
const needed = (g: Geometry): number[] => {
  const blocks = g.files * g.blocksPerFile;
  const map = Math.ceil(blocks / ((4_096 - 4) * 8)) * 4_096;
  const data = blocks * g.blockSizeBytes;
  return [
    g.files * 256,
    65_536,
    map,
    blocks * 16,
    journalBytesMin(g),
    65_536 + g.files * 128,
    data,
  ];
};

describe('the layout', () => {
  it('gives every region its room, in whole sectors, one after the other, at all extremes', () => {
    for (const geometry of EXTREMES) {
      const layout = computeLayout(geometry);
      let end = 2 * SECTOR_BYTES;
      Object.values(layout.regions).forEach((region, index) => {
        expect(region.kind).to.equal(index + 1);
        expect(region.offset).to.equal(end);
        expect(region.length % SECTOR_BYTES).to.equal(0);
        expect(region.length).to.be.at.least(needed(geometry)[index]!);
        end += region.length;
      });
      expect(layout.imageSizeBytes).to.equal(end);
      expect(Number.isSafeInteger(end)).to.equal(true);
      expect(layoutOf(geometry, Object.values(layout.regions))).to.deep.equal(layout);
    }
  });

  it('puts the regions of the default volume where they will always be', () => {
    const offsets = Object.values(computeLayout(DEFAULT).regions).map(({ offset }) => offset);
    expect(offsets).to.deep.equal([8_192, 73_728, 139_264, 143_360, 176_128, 4_370_432, 4_468_736]);
  });

  it('refuses every number just beyond its bounds, and takes it at them', () => {
    const good: Geometry = { files: 2, blockSizeBytes: 2, blocksPerFile: 2 };
    const cases: [Partial<Geometry>, Partial<Geometry>, string][] = [
      [{ files: FILES_MAX }, { files: FILES_MAX + 1 }, 'number of files'],
      [{ files: 1 }, { files: 0 }, 'number of files'],
      [{ blockSizeBytes: BLOCK_BYTES_MAX }, { blockSizeBytes: BLOCK_BYTES_MAX + 1 }, 'block size'],
      [{ blockSizeBytes: 1 }, { blockSizeBytes: 0 }, 'block size'],
      [
        { blocksPerFile: BLOCKS_PER_FILE_MAX },
        { blocksPerFile: BLOCKS_PER_FILE_MAX + 1 },
        'blocks per file',
      ],
      [{ blocksPerFile: 1 }, { blocksPerFile: 1.5 }, 'blocks per file'],
      [
        { blockSizeBytes: BLOCK_BYTES_MAX, blocksPerFile: FILE_BYTES_MAX / BLOCK_BYTES_MAX },
        { blockSizeBytes: BLOCK_BYTES_MAX, blocksPerFile: FILE_BYTES_MAX / BLOCK_BYTES_MAX + 1 },
        'size of a file',
      ],
    ];
    for (const [within, beyond, name] of cases) {
      expect(() => {
        checkGeometry({ ...good, ...within });
      }).not.to.throw();
      expect(() => {
        checkGeometry({ ...good, ...beyond });
      }).to.throw(name);
    }
  });

  it('takes a journal from its smallest to its largest size', () => {
    const min = journalBytesMin(DEFAULT);
    expect(computeLayout(DEFAULT).regions.journal.length).to.equal(JOURNAL_BYTES_DEFAULT);
    expect(computeLayout(DEFAULT, min).regions.journal.length).to.equal(min);
    expect(computeLayout(DEFAULT, JOURNAL_BYTES_MAX).regions.journal.length).to.equal(
      JOURNAL_BYTES_MAX,
    );
    for (const wrong of [min - SECTOR_BYTES, min + 1, JOURNAL_BYTES_MAX + SECTOR_BYTES]) {
      expect(() => computeLayout(DEFAULT, wrong)).to.throw(`the journal's size is ${wrong}`);
    }
  });

  it('finds what is wrong with a region table, and leaves regions it does not know alone', () => {
    const table = Object.values(computeLayout(DEFAULT).regions);
    const end = computeLayout(DEFAULT).imageSizeBytes;
    const extra = { kind: 99, offset: end, length: SECTOR_BYTES };
    const layout = layoutOf(DEFAULT, [extra, ...table]);
    expect(layout).to.include({ imageSizeBytes: end + SECTOR_BYTES });
    const change = (index: number, changes: Partial<Region>): Region[] =>
      table.map((region, at) => (at === index ? { ...region, ...changes } : region));
    const wrong: [Region[], RegExp][] = [
      [table.slice(1), /0 regions of kind 1 \(allocation\)/],
      [[...table, { ...extra, kind: 7 }], /2 regions of kind 7/],
      [change(0, { offset: SECTOR_BYTES }), /overlaps/],
      [change(1, { offset: 73_728 - SECTOR_BYTES }), /overlaps/],
      [change(6, { offset: 4_468_737 }), /not made of whole sectors/],
      [change(6, { length: 4_096 }), /the region data has 4096 bytes; it needs 262144/],
      [change(6, { offset: 2 ** 53 }), /not made of whole sectors/],
    ];
    for (const [regions, problem] of wrong) expect(layoutOf(DEFAULT, regions)).to.match(problem);
    expect(layoutOf({ ...DEFAULT, files: 0 }, table)).to.match(/number of files/);
  });
});
