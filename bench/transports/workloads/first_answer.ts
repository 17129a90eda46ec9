/** I/O: how long a peer takes from knowing nothing of a server, and the server nothing of it, to its first answer. */

import type { Figures, Scene } from '../bench_run.ts';
import type { Took } from '../../../netem/transports/jobs.ts';
import { percentile } from '../../../netem/transports/statistics.ts';

/** With two of 200 above it, the 99th percentile is one of the three worst. */
const SAMPLES_PER_SECOND = 100;
const MAX_SAMPLES = 400;
const AT_ONCE = 10;

export const firstAnswer = async (scene: Scene): Promise<Figures> => {
  const { server, client, place, seconds } = scene;
  const samples = Math.min(MAX_SAMPLES, Math.ceil(seconds * SAMPLES_PER_SECOND));
  const taken: number[] = [];
  let errors = 0;
  const sample = async (): Promise<void> => {
    const port = scene.nextPort();
    // What one connection has learnt of the path, neither side may know at the next.
    await server.ask({ do: 'listen', port, fresh: true });
    try {
      const { ms } = await client.ask<Took>({ do: 'first', host: place.host, port });
      taken.push(ms);
    } catch {
      errors += 1;
    }
  };
  while (taken.length + errors < samples) {
    await Promise.all(Array.from({ length: AT_ONCE }, sample));
  }
  return {
    p50Ms: percentile(taken, 0.5),
    p99Ms: percentile(taken, 0.99),
    maxMs: percentile(taken, 1),
    errors,
  };
};
