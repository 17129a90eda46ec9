import { expect } from 'chai';
import { CHECKSUM_ENTRY_BYTES, computeLayout, NODES_MAX } from '../../../fileserver/disk/layout.ts';
import { encodeRecord, sealRecord } from '../../../fileserver/disk/journal_record.ts';
import { newestSuperblock } from '../../../fileserver/disk/superblock.ts';
import { fillContents } from '../../../fileserver/disk/fill.ts';
import { READS_AT_ONCE, READS_QUEUED_MAX } from '../../../fileserver/disk/file_reader.ts';
import { fileSizeBytes, OUTCOMES_KEPT } from '../../../protocol/ids.ts';
import {
  client,
  commitNow,
  contents,
  DiskRun,
  file,
  mark,
  opened,
  readNow,
  refusal,
  SMALL,
  SMALL_JOURNAL_BYTES,
} from './disk_run.ts';
import { FakeDisk, randomOf } from './fake_disk.ts';

const LAYOUT = computeLayout(SMALL, SMALL_JOURNAL_BYTES);
const { regions } = LAYOUT;
const SIZE_BYTES = fileSizeBytes(SMALL);
const small = (seed = 1): FakeDisk =>
  FakeDisk.formatted(SMALL, seed, { journalBytes: SMALL_JOURNAL_BYTES });

describe('a disk core', () => {
  it('opens a fresh volume and reads what it was filled with', () => {
    const run = new DiskRun(small());
    const [event] = run.settle();
    expect(event).to.deep.include({
      type: 'opened',
      geometry: SMALL,
      clusterEpoch: 0,
      longestLeaseMs: 0,
      replayed: 0,
    });
    for (let number = 0; number < SMALL.files; number++) {
      expect(readNow(run, number)).to.deep.equal(fillContents(number, SIZE_BYTES));
      expect(run.core.meta(file(number))).to.deep.equal({
        version: { term: 0, counter: 0 },
        mark: undefined,
        outcomes: [],
        losses: 0,
      });
    }
    expect(run.core.markedFiles()).to.deep.equal([]);
  });

  it('keeps marks until the contents come, in one commit or in several', () => {
    const run = opened(small());
    commitNow(run, mark(1, 2 ** 32 - 1, 'a', 'b'), mark(4, 3, 'b', 'server'));
    expect(run.core.meta(file(1)).mark).to.deep.equal({
      term: 2 ** 32 - 1,
      owner: 'a',
      backup: 'b',
    });
    expect(run.core.markedFiles()).to.deep.equal([1, 4]);
    commitNow(run, contents(1, 65), mark(2, 9), contents(2, 66), mark(2, 10));
    expect(run.core.meta(file(1)).mark).to.equal(undefined);
    expect(run.core.meta(file(2))).to.deep.include({ version: { term: 1, counter: 66 } });
    const again = opened(run.disk);
    expect(again.core.markedFiles()).to.deep.equal([2, 4]);
    expect(again.core.meta(file(2)).mark?.term).to.equal(10);
    expect(again.core.meta(file(4)).mark).to.deep.equal({ term: 3, owner: 'b', backup: 'server' });
  });

  it('keeps numbers at their bounds, and refuses those beyond', () => {
    const run = opened(small());
    const outcomes = Array.from({ length: OUTCOMES_KEPT }, () => ({
      client: client(2 ** 53 - 1),
      operation: 2 ** 32 - 1,
      count: 2 ** 32 - 1,
    }));
    const version = { term: 2 ** 53 - 1, counter: 2 ** 53 - 1 };
    commitNow(run, { ...contents(1, 65), version, outcomes });
    const again = opened(run.disk);
    expect(again.core.meta(file(1))).to.deep.equal({
      version,
      outcomes,
      mark: undefined,
      losses: 0,
    });
    const more = [...outcomes, ...outcomes.slice(0, 1)];
    const beyond = [
      { ...contents(1, 65), outcomes: more },
      { ...contents(1, 65), version: { term: 2 ** 53, counter: 0 } },
      { ...contents(1, 65), version: { term: 0, counter: 2 ** 53 } },
      { ...contents(1, 65), bytes: new Uint8Array(SIZE_BYTES - 1) },
      contents(SMALL.files, 65),
      mark(1, 2 ** 53),
      { kind: 'epoch' as const, clusterEpoch: 2 ** 53, longestLeaseMs: 0 },
    ];
    for (const record of beyond) {
      const fresh = opened(small());
      expect(
        () => {
          fresh.core.commit(1, [record]);
        },
        JSON.stringify(record).slice(0, 80),
      ).to.throw();
    }
  });

  it(`names ${NODES_MAX} nodes at a time, and gives the numbers of forgotten ones away`, () => {
    const geometry = { files: NODES_MAX / 2 + 1, blockSizeBytes: 1, blocksPerFile: 1 };
    const run = opened(FakeDisk.formatted(geometry, 1));
    for (let number = 0; number < NODES_MAX / 2; number++) {
      run.core.commit(number, [mark(number, 1, `owner${number}`, `backup${number}`)]);
    }
    const oneMore = (): void => {
      run.core.commit(1, [mark(NODES_MAX / 2, 1, 'one-more', 'owner0')]);
    };
    expect(oneMore, 'while their marks are on their way').to.throw(`at most ${NODES_MAX} nodes`);
    run.settle();
    expect(oneMore).to.throw(`at most ${NODES_MAX} nodes`);
    const again = opened(run.disk);
    commitNow(again, contents(7, 65, 65, geometry));
    commitNow(again, mark(NODES_MAX / 2, 2, 'new-owner', 'new-backup'));
    const third = opened(run.disk);
    for (let number = 0; number < NODES_MAX / 2; number++) {
      const named = { term: 1, owner: `owner${number}`, backup: `backup${number}` };
      expect(third.core.meta(file(number)).mark).to.deep.equal(number === 7 ? undefined : named);
    }
    const named = { term: 2, owner: 'new-owner', backup: 'new-backup' };
    expect(third.core.meta(file(NODES_MAX / 2)).mark).to.deep.equal(named);
  });

  it('reads committed contents before they are home, and copies what it is given', () => {
    const run = opened(small());
    const record = contents(1, 65);
    run.core.commit(1, [record]);
    record.bytes.fill(0);
    const sync = run.holdNext('sync');
    run.complete(sync);
    run.core.readFile(2, file(1));
    expect(run.core.pollEvent()).to.deep.equal({ type: 'committed', token: 1 });
    const expected = new Uint8Array(SIZE_BYTES).fill(65);
    const answer = run.core.pollEvent();
    if (answer?.type !== 'file') throw new Error(answer?.type);
    expect(answer.bytes).to.deep.equal(expected);
    answer.bytes.fill(0);
    expect(readNow(run, 1)).to.deep.equal(expected);
    expect(readNow(opened(run.disk), 1)).to.deep.equal(expected);
  });

  it('reads again what a commit has changed under the read', () => {
    for (let seed = 0; seed < 60; seed++) {
      const run = opened(small(), randomOf(seed));
      run.core.readFile(9, file(1));
      for (let byte = 65; byte < 70; byte++) run.core.commit(byte, [contents(1, byte)]);
      const answer = run.settle().find(({ type }) => type === 'file' || type === 'readFailed');
      expect(answer).to.include({ type: 'file', token: 9 });
    }
  });

  it(`answers ${READS_QUEUED_MAX} waiting reads, and takes not one more`, () => {
    const run = opened(small());
    const all = READS_AT_ONCE + READS_QUEUED_MAX;
    for (let token = 0; token < all; token++) run.core.readFile(token, file(token % 6));
    expect(() => {
      run.core.readFile(all, file(0));
    }).to.throw(`at most ${READS_QUEUED_MAX} reads wait`);
    expect(run.settle().filter(({ type }) => type === 'file')).to.have.length(all);
  }).timeout(60_000);

  it('sees every flipped bit of a block and of its checksum', () => {
    const { disk } = opened(small());
    const dataAt = regions.data.offset + SIZE_BYTES + SMALL.blockSizeBytes;
    const sumAt = regions.checksums.offset + 4 * CHECKSUM_ENTRY_BYTES;
    const places = [
      ...Array.from({ length: SMALL.blockSizeBytes }, (_, at) => dataAt + at),
      ...[0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => sumAt + at),
    ];
    const run = opened(disk);
    for (const place of places) {
      const flip = (image: Uint8Array): void => void (image[place]! ^= 1 << (place % 8));
      disk.edit(flip);
      const reason = readNow(run, 1);
      expect(reason).to.match(new RegExp(`^file 1: block 4 at offset ${dataAt}: its checksum is`));
      disk.edit(flip);
    }
    expect(readNow(run, 1)).to.deep.equal(fillContents(1, SIZE_BYTES));
  });

  it('sees a block in the wrong place, and one that was never written home', () => {
    const run = opened(small());
    const home = (image: Uint8Array, number: number): [Uint8Array, Uint8Array] => {
      const data = regions.data.offset + number * SIZE_BYTES;
      const sums = regions.checksums.offset + number * 3 * CHECKSUM_ENTRY_BYTES;
      return [
        image.subarray(data, data + SIZE_BYTES),
        image.subarray(sums, sums + 3 * CHECKSUM_ENTRY_BYTES),
      ];
    };
    const before = home(run.disk.image, 1);
    run.disk.edit((image) => {
      home(image, 2).forEach((to, index) => {
        to.set(before[index]!);
      });
    });
    expect(readNow(run, 2)).to.match(/^file 2: block 6 at offset \d+: its checksum is wrong/);
    commitNow(run, contents(1, 65));
    run.disk.edit((image) => {
      home(image, 1).forEach((to, index) => {
        to.set(before[index]!);
      });
    });
    expect(readNow(run, 1)).to.match(/its checksum is of record 0, its file is of record \d+$/);
    commitNow(run, contents(1, 66));
    expect(readNow(run, 1), 'new contents heal it').to.deep.equal(
      new Uint8Array(SIZE_BYTES).fill(66),
    );
  });

  it('refuses an image that is cut off, anywhere', () => {
    const lengths = [0, 1, 4_096, 8_191, LAYOUT.imageSizeBytes / 2, LAYOUT.imageSizeBytes - 1];
    for (const length of lengths) {
      const disk = small();
      disk.truncate(Math.floor(length));
      expect(refusal(disk), `${length} bytes`).to.match(/the image (ends before it|is cut off)/);
    }
  });

  it('refuses what is no volume, and one of another version', () => {
    const foreign = new FakeDisk(new Uint8Array(100_000).fill(0x61), 1);
    expect(refusal(foreign)).to.match(/no volume: .*it does not begin as a coopfs volume does/);
    const later = small();
    later.edit((image) => (image[8] = image[4_096 + 8] = 3));
    expect(refusal(later)).to.match(/its format version is 3; this program reads version 2/);
  });

  it('refuses a damaged entry of the allocation table, unless the journal has a newer one', () => {
    const damage = (disk: FakeDisk): void => {
      disk.edit((image) => (image[regions.allocation.offset + 3 * 256 + 9]! ^= 1));
    };
    const fresh = small();
    damage(fresh);
    expect(refusal(fresh)).to.equal(
      `the allocation table's entry of file 3 at offset ${regions.allocation.offset + 768} ` +
        'is damaged: its checksum is wrong',
    );
    const run = opened(small());
    commitNow(run, mark(3, 5));
    damage(run.disk);
    expect(opened(run.disk).core.markedFiles()).to.deep.equal([3]);
  });

  it('refuses a damaged name of a node that a mark needs', () => {
    const run = opened(small());
    commitNow(run, mark(3, 5));
    run.core.close();
    run.settle();
    run.disk.edit((image) => (image[regions.nodes.offset + 64 + 2]! ^= 1));
    expect(refusal(run.disk)).to.match(/^node 1, which a dirty mark names, is damaged/);
  });

  for (const kind of ['write', 'sync'] as const) {
    it(`stops at a ${kind} that fails: nothing more is answered or written`, () => {
      const run = opened(small());
      run.disk.failure = (command) => (command.do === kind ? 'EIO: input/output error' : undefined);
      run.core.commit(1, [contents(1, 65)]);
      run.core.commit(2, [contents(2, 65)]);
      const [event, ...more] = run.settle();
      expect(event?.type).to.equal('failed');
      expect(event?.type === 'failed' && event.reason).to.match(/EIO: input\/output error$/);
      expect(more).to.deep.equal([]);
      const { image } = run.disk;
      run.core.commit(3, [contents(3, 65)]);
      run.core.readFile(4, file(1));
      expect(run.settle().map(({ type }) => type)).to.deep.equal(['readFailed']);
      expect(run.disk.image).to.deep.equal(image);
    });
  }

  it('takes back what the shell has not begun when it stops', () => {
    const { core } = opened(small());
    core.commit(1, [contents(1, 65)]);
    core.readFile(2, file(1));
    core.handleFailed(core.pollCommand()!.token, 'EIO');
    expect(core.pollCommand()).to.equal(undefined);
  });

  it('answers the reads under way before it is closed', () => {
    const run = opened(small());
    run.core.readFile(4, file(1));
    const held = [run.holdNext('read'), run.holdNext('read')];
    run.core.close();
    expect(run.settle()).to.deep.equal([]);
    held.forEach((read) => {
      run.complete(read);
    });
    expect(run.settle().map(({ type }) => type)).to.deep.equal(['file', 'closed']);
  });

  it('fails reads beyond the end of an image that was cut off meanwhile', () => {
    const run = opened(small());
    run.disk.truncate(regions.data.offset + SIZE_BYTES + 1);
    expect(readNow(run, 0)).to.deep.equal(fillContents(0, SIZE_BYTES));
    expect(readNow(run, 1)).to.match(/^file 1: the image ends within/);
    run.disk.truncate(regions.checksums.offset + 1);
    expect(readNow(run, 0)).to.match(/^file 0: the image ends within/);
  });

  it('refuses a journal record that writes where no region is', () => {
    const cases: [number, number, RegExp][] = [
      [3, regions.freeMap.length - 7, /writes to 4089 of region 3, which has no such place/],
      [99, 0, /writes to 0 of region 99/],
    ];
    for (const [region, offset, reason] of cases) {
      const disk = small();
      const superblock = newestSuperblock(disk.image);
      if (typeof superblock === 'string') throw new Error(superblock);
      const bytes = encodeRecord(1, [{ tag: 'write', region, offset, bytes: new Uint8Array(8) }]);
      sealRecord(bytes, { groupFirst: 1, lastOfGroup: true, salt: superblock.journalSalt });
      disk.edit((image) => {
        image.set(bytes, regions.journal.offset);
      });
      expect(refusal(disk)).to.match(reason);
    }
  });

  it('answers the reads under way when the disk stops', () => {
    const run = opened(small());
    run.core.readFile(4, file(1));
    run.core.commit(1, [contents(1, 65)]);
    run.disk.failure = () => 'EIO';
    const types = run.settle().map(({ type }) => type);
    expect(types).to.deep.equal(['readFailed', 'failed']);
  });

  it('fails one read, not the disk, when a read fails', () => {
    const run = opened(small());
    run.disk.failure = (command) => (command.do === 'read' ? 'EIO' : undefined);
    expect(readNow(run, 1)).to.equal('file 1: EIO');
    run.disk.failure = () => undefined;
    expect(readNow(run, 1)).to.be.instanceOf(Uint8Array);
  });

  it('reports a failure while it opens, and can be closed then', () => {
    const disk = small();
    disk.failure = (command) => (command.do === 'read' ? 'EIO' : undefined);
    expect(new DiskRun(disk).settle().map(({ type }) => type)).to.deep.equal(['failed']);
    const closed = new DiskRun(small());
    closed.core.close();
    expect(closed.settle().map(({ type }) => type)).to.deep.equal(['closed']);
  });
});
