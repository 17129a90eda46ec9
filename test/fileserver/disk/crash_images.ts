/** Crash images in great number: worlds that go on while each moment of theirs is crashed and recovered. */

import { World } from './crash_world.ts';
import { pick } from './fake_disk.ts';

/** The lives of one seed, and the commands of each at most. */
const LIVES = 3;
const STEPS_MAX = 120;
/** Images of the same moment: each keeps another part of what was not synced. */
const IMAGES_A_MOMENT = 4;

export interface Tally {
  images: number;
  seeds: number;
  /** Images of which something acknowledged is missing, or something else is wrong. */
  wrong: number;
  /** Crashes during the recovery of an image. */
  again: number;
  firstFailure: string | undefined;
}

/**
 * Makes and recovers `images` crash images, from seed `first` on. `lying`: the disk answers syncs and does
 * nothing, which must be found out.
 */
export const crashImages = (first: number, images: number, lying = false): Tally => {
  const tally: Tally = { images: 0, seeds: 0, wrong: 0, again: 0, firstFailure: undefined };
  for (let seed = first; tally.images < images; seed++) {
    tally.seeds++;
    const before = tally.images;
    try {
      oneSeed(seed, images, lying, tally);
    } catch (error) {
      tally.wrong++;
      const what = error instanceof Error ? error.message : String(error);
      const replay = `npm run crash-images -- --first ${seed} --images ${tally.images - before}`;
      tally.firstFailure ??= `seed ${seed}: ${what.split('\n')[0] ?? ''}: ${replay}`;
      // A seed that fails before its first image must not go on for ever.
      tally.images = Math.max(tally.images, before + 1);
    }
  }
  return tally;
};

const oneSeed = (seed: number, images: number, lying: boolean, tally: Tally): void => {
  const world = new World(seed);
  world.disk.lies = lying;
  const image = world.disk.twin(seed + 1);
  const crashed = (): void => {
    for (let each = 0; each < IMAGES_A_MOMENT && tally.images < images; each++) {
      tally.images++;
      tally.again += world.checkImage(image, world.random);
    }
  };
  let run = world.open(world.random);
  for (let life = 0; life < LIVES; life++) {
    world.live(run, pick(world.random, STEPS_MAX), crashed);
    world.crash();
    run = world.reopen();
  }
};
