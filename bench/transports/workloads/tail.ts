/**
 * I/O: two losses in a row at the tail: after a quiet moment, one request, of which the link loses exactly two
 * packets; nothing is sent later that would show the gap. Three ways: the request and what is sent after
 * it, the response and what is sent after it, and both packets of a request of two.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { connectAnew, type Figures, type Scene } from '../bench_run.ts';
import { REQUEST_BYTES, type Took } from '../../../netem/transports/jobs.ts';
import { median, percentile } from '../../../netem/transports/statistics.ts';

const ROUNDS = 10;
const LOSSES = 2;
/** Requests before each loss, so that the round trip is known, and how little it varies. */
const LEARNING = 20;
/** Then everything is acknowledged, and nothing under way. */
const QUIET_MS = 60;
const TWO_PACKETS_BYTES = 2000;

const WAYS = [
  { name: 'requestMs', direction: 'ab', bytes: REQUEST_BYTES },
  { name: 'responseMs', direction: 'ba', bytes: REQUEST_BYTES },
  { name: 'twoPacketsMs', direction: 'ab', bytes: TWO_PACKETS_BYTES },
] as const;

export const tail = async (scene: Scene): Promise<Figures> => {
  const { client } = scene;
  const { link } = scene.place;
  if (link === undefined) throw new Error('tail losses need an IP link');
  const one = async (bytes: number): Promise<number> =>
    (await client.ask<Took>({ do: 'one', bytes })).ms;
  const figures: Record<string, number> = {};
  let maxMs = 0;
  for (const { name, direction, bytes } of WAYS) {
    const taken: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // A transport that remembers our losses would send copies beforehand.
      await connectAnew(scene, 1, true);
      for (let count = 0; count < LEARNING; count += 1) await one(REQUEST_BYTES);
      await sleep(QUIET_MS);
      await link.resetStats();
      await link.dropNext(direction, LOSSES);
      taken.push(await one(bytes));
      const lost = (await link.stats())[direction].toldLost;
      await client.ask({ do: 'close' });
      if (lost !== LOSSES) throw new Error(`the link lost ${lost} packets instead of ${LOSSES}`);
    }
    figures[name] = median(taken);
    maxMs = Math.max(maxMs, percentile(taken, 1));
  }
  return { worstMedianMs: Math.max(...Object.values(figures)), ...figures, maxMs };
};
