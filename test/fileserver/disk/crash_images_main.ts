/** I/O: `npm run crash-images`: a million crashes of the journal, on as many cores as there are. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { wholeNumber } from '../../whole_number.ts';
import { crashImages, type Tally } from './crash_images.ts';

interface Flags {
  readonly images: number;
  readonly first: number;
  readonly jobs: number;
  readonly child?: true;
}

/** Seeds of one process begin this far from those of the next. */
const SEEDS_APART = 10_000_000;

const inChildren = async ({ images, first, jobs }: Flags): Promise<Tally[]> =>
  Promise.all(
    Array.from({ length: jobs }, async (_, job) => {
      const share = Math.floor(images / jobs) + (job < images % jobs ? 1 : 0);
      const start = first + job * SEEDS_APART;
      const args = ['--child', '--first', String(start), '--images', String(share)];
      const child = fork(fileURLToPath(import.meta.url), args);
      const ended = once(child, 'exit').then(() => {
        throw new Error(`the process of seeds from ${start} on ended before its end`);
      });
      ended.catch(() => undefined);
      const [tally] = (await Promise.race([once(child, 'message'), ended])) as [Tally];
      return tally;
    }),
  );

const report = (tallies: readonly Tally[], seconds: number): number => {
  const sum = (of: (tally: Tally) => number): number =>
    tallies.reduce((total, tally) => total + of(tally), 0);
  const images = sum((tally) => tally.images);
  const wrong = sum((tally) => tally.wrong);
  for (const { firstFailure } of tallies) {
    if (firstFailure !== undefined) process.stdout.write(`${firstFailure}\n`);
  }
  process.stdout.write(
    `${images} crash images of ${sum((tally) => tally.seeds)} seeds, ${sum((tally) => tally.again)} crashes during their recovery, in ${seconds.toFixed(1)} s\n` +
      `${images - wrong} passed, ${wrong} failed\n`,
  );
  return wrong;
};

const command = new Command('crash-images')
  .description('crashes the disk after every command, recovers it, and checks all of it')
  .option('--images <n>', 'how many crash images', wholeNumber(1, 1e9), 100_000)
  .option('--first <n>', 'the first seed', wholeNumber(1, 1e9), 1)
  .option('--jobs <n>', 'how many processes', wholeNumber(1, 1e9), availableParallelism())
  .option('--child', 'one of the processes')
  .parse();
const flags = command.opts<Flags>();
if (flags.child) {
  process.send?.(crashImages(flags.first, flags.images));
} else {
  const jobs = Math.min(flags.jobs, flags.images);
  const begun = process.hrtime.bigint();
  const tallies =
    jobs === 1 ? [crashImages(flags.first, flags.images)] : await inChildren({ ...flags, jobs });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  process.exitCode = report(tallies, seconds) === 0 ? 0 : 1;
}
