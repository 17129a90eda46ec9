/** I/O: requests of 128 bytes and responses of 1 KiB, so many in flight on each connection. */

import { setTimeout as sleep } from 'node:timers/promises';
import { connectAnew, countOf, type Figures, type Scene } from '../bench_run.ts';
import type { MeasuredRequests } from '../../../netem/transports/jobs.ts';

/** Paths are learnt and code is compiled before it counts. */
const WARM_MS = 1000;

const measure = async (scene: Scene, connections: number, inFlight: number): Promise<Figures> => {
  const { server, client } = scene;
  await connectAnew(scene, connections);
  await client.ask({ do: 'load', inFlight });
  await sleep(WARM_MS);
  const before = await countOf(server);
  const ms = scene.seconds * 1000;
  const measured = await client.ask<MeasuredRequests>({ do: 'measure', ms });
  const after = await countOf(server);
  await client.ask({ do: 'close' });
  const cpuSeconds = measured.cpuSeconds + after.cpuSeconds - before.cpuSeconds;
  return {
    requestsPerSecond: measured.answered / measured.seconds,
    p50Ms: measured.p50Ms,
    p99Ms: measured.p99Ms,
    maxMs: measured.maxMs,
    cpuPer10k: (cpuSeconds * 10_000) / measured.answered,
    errors: measured.errors,
  };
};

/** One at a time on each of the link's connections. */
export const oneInFlight = (scene: Scene): Promise<Figures> =>
  measure(scene, scene.profile.connections, 1);

/** 32 on one connection: shows what waits for what. */
export const thirtyTwoInFlight = (scene: Scene): Promise<Figures> => measure(scene, 1, 32);
