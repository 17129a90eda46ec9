/** I/O: runs seeds in processes of their own, one a core; each takes the next seeds when it is done with its last. */

import { fork, type ChildProcess } from 'node:child_process';
import type { SimulationResult } from './simulation_options.ts';

/** Enough for a second or more, so that asking for the next costs nothing. */
const SEEDS_AT_ONCE = 8;

/** What a worker is asked for; its answers are results, and then "done". */
interface Share {
  readonly first: number;
  readonly seeds: number;
}

/**
 * Runs `seeds` seeds from `first` on in `jobs` processes of this program, with its arguments. Results come in no order.
 * Rejects if a worker dies.
 */
export const inWorkers = async (
  first: number,
  seeds: number,
  jobs: number,
  take: (result: SimulationResult) => void,
): Promise<void> => {
  let next = first;
  const end = first + seeds;
  const serve = (worker: ChildProcess): void => {
    const share: Share = { first: next, seeds: Math.min(SEEDS_AT_ONCE, end - next) };
    next += share.seeds;
    if (share.seeds > 0) worker.send(share);
    else worker.disconnect();
  };
  const runWorker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = fork(process.argv[1] ?? '', process.argv.slice(2));
      worker.on('message', (message: SimulationResult | 'done') => {
        if (message === 'done') serve(worker);
        else take(message);
      });
      worker.on('error', reject);
      worker.on('exit', (code, signal) => {
        if (code === 0) resolve();
        else {
          reject(new Error(`a worker of the simulator ended with ${signal ?? `status ${code}`}`));
        }
      });
      serve(worker);
    });
  await Promise.all(Array.from({ length: jobs }, runWorker));
};

/** True in a process that `inWorkers` has started. */
export const isWorker = process.send !== undefined;

/** The worker's side: simulates what it is asked for until the other side has no more. */
export const serveSeeds = (run: (seed: number) => SimulationResult): void => {
  process.on('message', ({ first, seeds }: Share) => {
    for (let seed = first; seed < first + seeds; seed++) process.send?.(run(seed));
    process.send?.('done');
  });
};
