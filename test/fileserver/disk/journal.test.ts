import { expect } from 'chai';
import { findingsOn } from './crash_world.ts';
import { fillContents } from '../../../fileserver/disk/fill.ts';
import { COMMITS_QUEUED_MAX, GROUP_RECORDS_MAX } from '../../../fileserver/disk/journal.ts';
import { computeLayout, SECTOR_BYTES } from '../../../fileserver/disk/layout.ts';
import { fileSizeBytes } from '../../../protocol/ids.ts';
import {
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

const SIZE_BYTES = fileSizeBytes(SMALL);
const RING = computeLayout(SMALL, SMALL_JOURNAL_BYTES).regions.journal;
const small = (seed = 1): FakeDisk =>
  FakeDisk.formatted(SMALL, seed, { journalBytes: SMALL_JOURNAL_BYTES });

/** The content of a file as one byte, if it is all the same. */
const byteOf = (run: DiskRun, number: number): number => {
  const bytes = readNow(run, number);
  if (typeof bytes === 'string') throw new Error(bytes);
  expect(new Set(bytes).size, 'all bytes are the same').to.equal(1);
  return bytes[0]!;
};

const tokens = (run: DiskRun): number[] =>
  run.settle().map((event) => (event.type === 'committed' ? event.token : -1));

describe('the journal', () => {
  it('syncs many commits at once', () => {
    const run = opened(small());
    const before = run.disk.syncs;
    for (let token = 0; token < 36; token++) run.core.commit(token, [mark(token % 6, token + 1)]);
    expect(tokens(run)).to.deep.equal(Array.from({ length: 36 }, (_, token) => token));
    expect(run.disk.syncs - before, 'one for the first, one for all the others').to.equal(2);
  });

  it(`puts at most ${GROUP_RECORDS_MAX} records in one group`, () => {
    for (const [commits, syncs] of [
      [GROUP_RECORDS_MAX + 1, 2],
      [GROUP_RECORDS_MAX + 2, 3],
    ] as const) {
      const run = opened(FakeDisk.formatted(SMALL, 1));
      const before = run.disk.syncs;
      for (let token = 0; token < commits; token++) run.core.commit(token, [mark(1, token)]);
      expect(tokens(run)).to.have.length(commits);
      expect(run.disk.syncs - before).to.equal(syncs);
    }
  });

  it('lets a group grow to a mebibyte', () => {
    const geometry = { files: 20, blockSizeBytes: 65_536, blocksPerFile: 1 };
    // A record of 65.9 KB: 15 of them fit, 16 do not.
    for (const [commits, syncs] of [
      [1 + 15, 2],
      [1 + 16, 3],
    ] as const) {
      const run = opened(FakeDisk.formatted(geometry, 1));
      const before = run.disk.syncs;
      for (let token = 0; token < commits; token++) {
        run.core.commit(token, [contents(token, 65, 65, geometry)]);
      }
      expect(tokens(run)).to.have.length(commits);
      expect(run.disk.syncs - before).to.equal(syncs);
    }
  });

  it('writes a bounded number of home locations at a time', () => {
    const run = opened(FakeDisk.formatted({ ...SMALL, files: 1_000 }, 1));
    run.core.commit(
      1,
      Array.from({ length: 1_000 }, (_, number) => mark(number, 1)),
    );
    let most = 0;
    do most = Math.max(most, run.pending.length);
    while (run.step());
    expect(most).to.equal(256);
    expect(opened(run.disk).core.markedFiles()).to.have.length(1_000);
  });

  it('makes room for a record of half its size after a group of nearly all of it', () => {
    const run = opened(small());
    const half = Array.from({ length: 20 }, (_, at) => contents(at % 6, at));
    run.core.commit(1, [mark(1, 1)]);
    for (let token = 2; token < 31; token++) run.core.commit(token, [contents(2, token)]);
    expect(tokens(run)).to.have.length(30);
    commitNow(run, ...half);
    commitNow(run, ...half);
  });

  it('answers a commit only when it is synced', () => {
    const run = opened(small());
    run.core.commit(5, [contents(1, 65)]);
    const sync = run.holdNext('sync');
    expect(run.settle()).to.deep.equal([]);
    expect(run.core.meta(file(1)).version.counter).to.equal(0);
    run.complete(sync);
    expect(tokens(run)).to.deep.equal([5]);
    expect(run.core.meta(file(1)).version.counter).to.equal(65);
  });

  it('takes many times its own size, and never overtakes itself', () => {
    const run = opened(small());
    const rounds = 200;
    for (let round = 0; round < rounds; round++) {
      for (let number = 0; number < SMALL.files; number++) {
        run.core.commit(round, [contents(number, round)]);
      }
      if (round % 7 === 0) expect(run.settle().length).to.be.greaterThan(0);
    }
    run.settle();
    run.disk.crash();
    const again = opened(run.disk);
    for (let number = 0; number < SMALL.files; number++) {
      expect(byteOf(again, number)).to.equal(rounds - 1);
    }
  });

  it('drops a torn tail that nobody was answered for, whole groups and parts', () => {
    for (let seed = 0; seed < 50; seed++) {
      const run = opened(small(seed));
      commitNow(run, contents(1, 65));
      for (const number of [2, 3, 4]) run.core.commit(number, [contents(number, 66)]);
      run.executeHeld(run.holdNext('write'));
      run.disk.crash();
      const again = opened(run.disk);
      expect(byteOf(again, 1)).to.equal(65);
      // The second group was never begun; the first, with file 2 alone, is there or not.
      const { counter } = again.core.meta(file(2)).version;
      expect(counter).to.be.oneOf([0, 66]);
      expect(readNow(again, 2)).to.deep.equal(
        counter === 0 ? fillContents(2, SIZE_BYTES) : contents(2, 66).bytes,
      );
      expect(again.core.meta(file(3)).version.counter).to.equal(0);
    }
  });

  it('refuses a bad record before a good one, and says where', () => {
    const run = opened(small());
    const ring = run.disk.image.subarray(RING.offset, RING.offset + RING.length);
    expect(ring.every((byte) => byte === 0)).to.equal(true);
    commitNow(run, contents(1, 65));
    commitNow(run, contents(2, 66));
    run.disk.edit((image) => (image[RING.offset + 100]! ^= 1));
    expect(refusal(run.disk)).to.equal(
      `the journal is corrupt at offset ${RING.offset}: record 1025 is damaged, ` +
        'but record 1026, written after it, is whole',
    );
  });

  it('takes a bad last record for torn', () => {
    const run = opened(small());
    commitNow(run, mark(1, 7));
    commitNow(run, mark(2, 8));
    run.disk.edit((image) => (image[RING.offset + SECTOR_BYTES + 60]! ^= 1));
    const again = opened(run.disk);
    expect(again.core.meta(file(1)).mark?.term).to.equal(7);
  });

  it('takes a bad record for torn if only records of its own group follow', () => {
    const run = opened(small());
    run.core.commit(1, [mark(1, 7)]);
    const first = run.holdNext('sync');
    for (const number of [2, 3, 4]) run.core.commit(number, [mark(number, 8)]);
    run.complete(first);
    // Home writes of the first group may be pending too; the group of three is the one in the ring.
    for (let write = run.holdNext('write'); ; write = run.holdNext('write')) {
      run.complete(write);
      if (write.do === 'write' && write.offset === RING.offset + SECTOR_BYTES) break;
    }
    run.disk.kill();
    run.disk.edit((image) => (image[RING.offset + SECTOR_BYTES + 60]! ^= 1));
    const again = opened(run.disk);
    expect(again.core.meta(file(1)).mark?.term).to.equal(7);
    expect(again.core.markedFiles()).to.deep.equal([1]);
  });

  it('never brings back what a torn group left behind a later one', () => {
    const geometry = { files: 6, blockSizeBytes: 200, blocksPerFile: 1 };
    const disk = FakeDisk.formatted(geometry, 1, { journalBytes: SMALL_JOURNAL_BYTES });
    const run = opened(disk);
    // 40 bytes, 5 x 312 for contents and 39 x 64 for marks: a record of exactly one sector.
    const sectorful = (number: number, byte: number) => [
      ...Array.from({ length: 5 }, () => contents(number, byte, byte, geometry)),
      ...Array.from({ length: 39 }, () => mark(number, byte)),
    ];
    run.core.commit(1, [mark(0, 7)]);
    const first = run.holdNext('sync');
    run.core.commit(2, sectorful(2, 66));
    run.core.commit(3, sectorful(3, 67));
    run.complete(first);
    const second = RING.offset + SECTOR_BYTES;
    for (let write = run.holdNext('write'); ; write = run.holdNext('write')) {
      run.executeHeld(write);
      if (write.do === 'write' && write.offset === second) break;
    }
    disk.kill();
    disk.edit((image) => (image[second + 60]! ^= 1));
    const again = opened(disk);
    expect(again.core.markedFiles()).to.deep.equal([0]);
    commitNow(again, ...sectorful(4, 68));
    expect(opened(disk).core.markedFiles()).to.deep.equal([0, 4]);
  });

  it('starts from either superblock copy alone, and writes the damaged one anew', () => {
    for (let rounds = 1; rounds < 40; rounds++) {
      const run = opened(small());
      for (let round = 1; round <= rounds; round++) commitNow(run, contents(round % 6, round));
      for (const copy of [0, 1]) {
        const disk = new FakeDisk(run.disk.image, 1);
        disk.edit((image) => (image[copy * SECTOR_BYTES + 30]! ^= 4));
        const again = opened(disk);
        expect(byteOf(again, rounds % 6), `after ${rounds} without copy ${copy}`).to.equal(rounds);
        expect(findingsOn(disk)).to.deep.equal([]);
      }
    }
  });

  it('starts from either superblock copy alone, at every step of a burst of commits', () => {
    const run = opened(small());
    let committed = 0;
    for (let token = 1; token <= 120; token++) run.core.commit(token, [contents(0, token)]);
    while (run.step()) {
      for (const event of run.events.splice(0)) if (event.type === 'committed') committed++;
      for (const copy of [0, 1]) {
        const disk = new FakeDisk(run.disk.image, 1);
        disk.edit((image) => (image[copy * SECTOR_BYTES + 30]! ^= 4));
        const { counter } = opened(disk).core.meta(file(0)).version;
        expect(counter, `without copy ${copy}`).to.be.within(committed, 120);
      }
    }
    expect(committed).to.equal(120);
  });

  it('needs one superblock', () => {
    const { disk } = opened(small());
    disk.edit((image) => {
      image[30]! ^= 1;
      image[SECTOR_BYTES + 30]! ^= 1;
    });
    expect(refusal(disk)).to.equal(
      'this is no volume: superblock copy 0: its checksum is wrong; superblock copy 1: its checksum is wrong',
    );
  });

  it(`lets ${COMMITS_QUEUED_MAX} commits wait, and not one more`, () => {
    const run = opened(small());
    run.core.commit(0, []);
    for (let token = 1; token <= COMMITS_QUEUED_MAX; token++) run.core.commit(token, []);
    expect(() => {
      run.core.commit(-1, []);
    }).to.throw(`at most ${COMMITS_QUEUED_MAX} commits wait`);
  }).timeout(60_000);

  it('takes a record of half the journal, and none that is larger', () => {
    // 31 write-backs of 3 blocks make 40 + 31 × (256 + 3 headers) bytes and their entries.
    const one = 16 + 56 + (16 + 48) + (16 + 192);
    const fits = Math.floor((SMALL_JOURNAL_BYTES / 2 - 40) / one);
    const many = (count: number) => Array.from({ length: count }, (_, at) => contents(at % 6, at));
    const run = opened(small());
    for (let turn = 0; turn < 5; turn++) commitNow(run, ...many(fits));
    expect(() => {
      run.core.commit(1, many(fits + 1));
    }).to.throw('a record leaves room');
  });

  it('keeps the epoch and the longest lease, from the journal and from the superblock', () => {
    const run = opened(small());
    commitNow(run, { kind: 'epoch', clusterEpoch: 2 ** 53 - 1, longestLeaseMs: 400.25 });
    const again = new DiskRun(run.disk);
    const [event] = again.settle();
    expect(event).to.include({ clusterEpoch: 2 ** 53 - 1, longestLeaseMs: 400.25, replayed: 1 });
    again.core.close();
    again.settle();
    const [third] = new DiskRun(run.disk).settle();
    expect(third).to.include({ clusterEpoch: 2 ** 53 - 1, longestLeaseMs: 400.25, replayed: 0 });
  });

  it('finishes in any order of completions', () => {
    for (let seed = 0; seed < 100; seed++) {
      const run = opened(small(), randomOf(seed));
      for (let token = 0; token < 60; token++) {
        run.core.commit(token, [contents(token % 6, token)]);
        if (token % 5 === 0) run.step();
      }
      run.core.close();
      const events = run.settle();
      expect(events.at(-1)).to.deep.equal({ type: 'closed' });
      expect(events.filter(({ type }) => type === 'committed')).to.have.length(60);
    }
  });
});
