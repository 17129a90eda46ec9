/** I/O: runs seeds in processes of their own, one a core; each takes the next seeds when it is done with its last. */

import { fork, type ChildProcess } from 'node:child_process';
import { setImmediate as breath } from 'node:timers/promises';
import type { SimulationResult } from './simulation_options.ts';

/** At most; enough for a second or more, so that asking for the next costs nothing. */
const SEEDS_AT_ONCE = 8;

/** What a worker is asked for; its answers are results, and then "done". */
interface Share {
  readonly first: number;
  readonly seeds: number;
}

/**
 * Runs `seeds` seeds from `first` on in `jobs` processes of this program, with its arguments. Results come in no order.
 * Rejects if a worker dies, and when `signal` aborts: the workers are killed then.
 */
export const inWorkers = async (
  first: number,
  seeds: number,
  jobs: number,
  take: (result: SimulationResult) => void,
  signal?: AbortSignal,
): Promise<void> => {
  const atOnce = Math.min(SEEDS_AT_ONCE, Math.ceil(seeds / jobs));
  let next = first;
  const end = first + seeds;
  const serve = (worker: ChildProcess): void => {
    const share: Share = { first: next, seeds: Math.min(atOnce, end - next) };
    next += share.seeds;
    if (share.seeds > 0) worker.send(share);
    else worker.disconnect();
  };
  const runWorker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = fork(process.argv[1] ?? '', process.argv.slice(2), {
        ...(signal === undefined ? {} : { signal }),
        killSignal: 'SIGKILL',
      });
      worker.on('message', (message: SimulationResult | 'done') => {
        if (message === 'done') serve(worker);
        else take(message);
      });
      worker.on('error', reject);
      worker.on('exit', (code, killedBy) => {
        if (code === 0) resolve();
        else {
          reject(new Error(`a worker of the simulator ended with ${killedBy ?? `status ${code}`}`));
        }
      });
      serve(worker);
    });
  await Promise.all(Array.from({ length: Math.min(jobs, seeds) }, runWorker));
};

/** True in a process that `inWorkers` has started. */
export const isWorker = process.send !== undefined;

/** The worker's side: simulates what it is asked for until the other side has no more, or is gone. */
export const serveSeeds = (run: (seed: number) => SimulationResult): void => {
  const serve = async ({ first, seeds }: Share): Promise<void> => {
    for (let seed = first; seed < first + seeds; seed++) {
      process.send?.(run(seed));
      // Only between two seeds can this process hear that the other one is gone.
      await breath();
    }
    process.send?.('done');
  };
  process.on('disconnect', () => process.exit());
  process.on('message', (share: Share) => void serve(share));
};
