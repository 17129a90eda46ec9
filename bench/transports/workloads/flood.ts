/**
 * I/O: first packets (hellos) of clients that do not exist, beside a live connection with 32 requests in flight. Whoever
 * floods works on the same CPUs, which is not the endpoint's doing: so slices of a second in which the flood goes
 * to the endpoint take turns with slices in which the same process sends the same datagrams to the socket of a
 * process that stands still, and with quiet ones. The slowdown is that from the second kind to the first.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { connectAnew, countOf, startServer, type Figures, type Scene } from '../bench_run.ts';
import type { FloodJob, MeasuredRequests } from '../../../netem/transports/jobs.ts';
import { besideModule } from '../../../netem/program_place.ts';
import { MeasuredProcess } from '../../../netem/transports/measured_process.ts';
import { median } from '../../../netem/transports/statistics.ts';

const FLOOD_PROCESS = besideModule('../flood_process', import.meta.url);
const SLICE_MS = 1000;
const FLOODED = 100_000;
/** Ten slices of as many: 10,000 a second. */
const PER_SLICE = 10_000;
const WARM_MS = 1000;
const PAUSE_MS = 100;

interface Slice {
  readonly answered: number;
  readonly seconds: number;
  /** CPU time of the server. */
  readonly serverSeconds: number;
}

const perSecond = (slices: readonly Slice[]): number =>
  median(slices.map(({ answered, seconds }) => answered / seconds));

/** CPU time that the server spent on a hello: what its requests do not explain. */
const helloUs = (beside: readonly Slice[], flooded: readonly Slice[]): number => {
  const sum = (slices: readonly Slice[], key: keyof Slice): number =>
    slices.reduce((total, slice) => total + slice[key], 0);
  const perRequest = sum(beside, 'serverSeconds') / sum(beside, 'answered');
  const rest = sum(flooded, 'serverSeconds') - perRequest * sum(flooded, 'answered');
  return (1e6 * rest) / FLOODED;
};

export const flood = async (scene: Scene): Promise<Figures> => {
  const { server, client, peer, place } = scene;
  const { host } = place;
  const flooder = new MeasuredProcess<FloodJob>(FLOOD_PROCESS, [peer.variant], {
    enter: [],
  });
  const sink = startServer({ ...peer, module: 'dgram' }, place);
  try {
    const sinkPort = scene.nextPort();
    await sink.ask({ do: 'listen', port: sinkPort });
    sink.freeze();
    const port = await connectAnew(scene, 1);
    await client.ask({ do: 'load', inFlight: 32 });
    await sleep(WARM_MS);
    const before = await countOf(server);
    const slice = async (to: number | undefined): Promise<Slice> => {
      const job = { do: 'flood', host, count: PER_SLICE, ms: SLICE_MS } as const;
      const { cpuSeconds } = await countOf(server);
      const flooding = to === undefined ? undefined : flooder.ask({ ...job, port: to });
      const measured = await client.ask<MeasuredRequests>({ do: 'measure', ms: SLICE_MS });
      await flooding;
      const after = await countOf(server);
      await sleep(PAUSE_MS);
      const { answered, seconds } = measured;
      return { answered, seconds, serverSeconds: after.cpuSeconds - cpuSeconds };
    };
    const quiet: Slice[] = [];
    const beside: Slice[] = [];
    const flooded: Slice[] = [];
    for (let sent = 0; sent < FLOODED; sent += PER_SLICE) {
      quiet.push(await slice(undefined));
      beside.push(await slice(sinkPort));
      flooded.push(await slice(port));
    }
    const after = await countOf(server);
    await client.ask({ do: 'close' });
    return {
      quietPerSecond: perSecond(quiet),
      besidePerSecond: perSecond(beside),
      floodedPerSecond: perSecond(flooded),
      slowdown: 1 - perSecond(flooded) / perSecond(beside),
      helloUs: helloUs(beside, flooded),
      stateLeft: (after.halfOpen ?? Number.NaN) - (before.halfOpen ?? Number.NaN),
    };
  } finally {
    await flooder.end();
    await sink.end();
  }
};
