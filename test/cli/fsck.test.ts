import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { formatImage } from '../../fileserver/disk/image_file.ts';
import { encodeRecord, sealRecord } from '../../fileserver/disk/journal_record.ts';
import { computeLayout } from '../../fileserver/disk/layout.ts';
import { newestSuperblock } from '../../fileserver/disk/superblock.ts';
import { coopfs } from './coopfs.ts';

const GEOMETRY = { files: 6, blockSizeBytes: 64, blocksPerFile: 3 };
const { regions } = computeLayout(GEOMETRY);

describe('coopfs fsck', () => {
  let folder = '';
  let disk = '';

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-fsck-'));
    disk = join(folder, 'disk.img');
    await formatImage(disk, GEOMETRY);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const edit = (change: (image: Buffer) => void): void => {
    const image = readFileSync(disk);
    change(image);
    writeFileSync(disk, image);
  };

  it('says of every kind of damage where it is, and ends with status 1', async () => {
    const places: [number, string][] = [
      [4_096 + 20, 'superblock copy 1, at byte 4096: its checksum is wrong'],
      [regions.freeMap.offset + 1, `free-space map page 0, at byte ${regions.freeMap.offset}: its`],
      [
        regions.allocation.offset + 2 * 256 + 40,
        `allocation entry of file 2, at byte ${regions.allocation.offset + 512}: its checksum is wrong`,
      ],
      [
        regions.checksums.offset + 5 * 16,
        `file 1, block 2, at byte ${regions.data.offset + 5 * 64}: its checksum is wrong`,
      ],
      [
        regions.data.offset + 9 * 64 + 3,
        `file 3, block 0, at byte ${regions.data.offset + 9 * 64}: its checksum is wrong`,
      ],
      [regions.nodes.offset + 64, `node 1, at byte ${regions.nodes.offset + 64}: its checksum`],
    ];
    edit((image) => {
      for (const [offset] of places) image[offset]! ^= 0x10;
    });
    const { status, out } = await coopfs(['fsck', '--disk', disk]);
    for (const [, words] of places) expect(out).to.include(`! ${words}`);
    expect(out).to.match(/disk\.img is damaged: 6 problems \(15 blocks checked\)\n$/);
    expect(status).to.equal(1);
  });

  it('says where the journal is corrupt: a damaged record before a whole one that is newer', async () => {
    edit((image) => {
      const superblock = newestSuperblock(image);
      if (typeof superblock === 'string') throw new Error(superblock);
      for (const sequence of [1, 2]) {
        const bytes = encodeRecord(sequence, []);
        const seal = { groupFirst: sequence, lastOfGroup: true, salt: superblock.journalSalt };
        sealRecord(bytes, seal);
        image.set(bytes, regions.journal.offset + (sequence - 1) * 4_096);
      }
      image[regions.journal.offset + 20]! ^= 1;
    });
    const { status, out } = await coopfs(['fsck', '--disk', disk]);
    const place = `! journal, at byte ${regions.journal.offset}: record 1 is damaged, but record 2`;
    expect(out).to.include(place);
    expect(out).to.match(/is damaged: 1 problem /);
    expect(status).to.equal(1);
  });
});
