import { expect } from 'chai';
import { computeLayout } from '../../../fileserver/disk/layout.ts';
import { crashImages } from './crash_images.ts';
import { World } from './crash_world.ts';
import { DiskRun, SMALL, SMALL_JOURNAL_BYTES } from './disk_run.ts';
import { pick } from './fake_disk.ts';

const SEEDS = 150;
const LIVES = 3;
/** Enough that a disk which does not sync is caught. */
const IMAGES = 2_000;

describe('a disk that loses power', () => {
  it(`keeps every commit whole or not at all, and all that were answered, over ${SEEDS} seeds`, () => {
    let crashes = 0;
    let replayed = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed);
      try {
        let run = world.reopen();
        for (let life = 0; life < LIVES; life++) {
          world.live(run, pick(world.random, 120));
          world.crash();
          run = world.reopen();
        }
      } catch (error) {
        throw new Error(`seed ${seed} (World(${seed}) in ${import.meta.url})`, { cause: error });
      }
      crashes += world.crashes;
      replayed += world.replayed;
    }
    expect(crashes).to.be.greaterThan(SEEDS * LIVES);
    expect(replayed).to.be.greaterThan(SEEDS);
  });

  const { regions } = computeLayout(SMALL, SMALL_JOURNAL_BYTES);
  const inJournal = (offset: number): boolean =>
    offset >= regions.journal.offset && offset < regions.journal.offset + regions.journal.length;
  const isSuperblock = (offset: number): boolean => offset < regions.allocation.offset;
  const adversaries: [string, (offset: number) => boolean][] = [
    ['nothing', () => false],
    ['superblocks only', isSuperblock],
    ['the journal only', inJournal],
    ['home locations only', (offset) => !isSuperblock(offset) && !inJournal(offset)],
    ['all but the superblocks', (offset) => !isSuperblock(offset)],
    ['all but the journal', (offset) => !inJournal(offset)],
    ['all but home locations', (offset) => isSuperblock(offset) || inJournal(offset)],
    ['every other sector', (offset) => offset % 1_024 === 0],
    ['everything', () => true],
  ];
  for (const [kept, keeps] of adversaries) {
    it(`survives a crash after every single command, of the unsynced keeping ${kept}`, () => {
      let more = true;
      for (let steps = 0; more; steps++) {
        const world = new World(7);
        const run = world.open();
        more = world.workload(run, steps);
        world.disk.crash(keeps);
        // Twice, with a crash of the same kind at every place of the first recovery.
        const recovering = new DiskRun(world.disk);
        for (let step = steps % 30; step > 0; step--) recovering.step();
        world.disk.crash(keeps);
        world.verify(world.open());
      }
    });
  }

  it('has nothing to replay after a close, and everything', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const world = new World(seed);
      const run = world.reopen();
      world.live(run, 60);
      run.core.close();
      expect(run.settle().at(-1)).to.deep.equal({ type: 'closed' });
      world.committed = world.history.length - 1;
      world.replayed = 0;
      world.disk.crash();
      world.reopen();
      expect(world.replayed).to.equal(0);
    }
  });

  it('is recovered from the image of a crash after any command', () => {
    const tally = crashImages(1, IMAGES);
    expect(tally).to.include({ images: IMAGES, wrong: 0 });
    expect(tally.again, 'crashes during recovery').to.be.greaterThan(IMAGES / 10);
  });

  it('is found out if it answers syncs and does nothing', () => {
    const { wrong, firstFailure } = crashImages(1, IMAGES, true);
    expect(wrong).to.be.greaterThan(0);
    expect(firstFailure).to.match(
      /^seed \d+: .* npm run crash-images -- --first \d+ --images \d+$/,
    );
  });
});
