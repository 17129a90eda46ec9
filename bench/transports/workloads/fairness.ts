/** I/O: two flows of bulk over one bottleneck: a peer beside itself, and beside TCP with CUBIC. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  nextPort,
  startClient,
  startServer,
  countOf,
  type Figures,
  type Scene,
} from '../bench_run.ts';
import { findPeer, type Peer } from '../catalogue.ts';
import type { ClientJob, ServerJob } from '../../../netem/transports/jobs.ts';
import type { MeasuredProcess } from '../../../netem/transports/measured_process.ts';
import type { Place } from '../place.ts';

/** The second flow begins when the first has filled the link. */
const LATER_MS = 1000;
/** What is sent before both have found their share does not count. */
const SETTLE_MS = 3000;
const COUNTED_MS = 6000;
const TOTAL_MS = LATER_MS + SETTLE_MS + COUNTED_MS;
const UNLIMITED = 1_000_000;

interface Flow {
  readonly server: MeasuredProcess<ServerJob>;
  readonly client: MeasuredProcess<ClientJob>;
}

const openFlow = async (peer: Peer, place: Place): Promise<Flow> => {
  const server = startServer(peer, place);
  const client = startClient(peer, place);
  const port = nextPort();
  await server.ask({ do: 'listen', port });
  await client.ask({ do: 'connect', host: place.host, port, connections: 1 });
  return { server, client };
};

/** The part of all bytes that the first flow brought. */
const shareOf = async (first: Peer, second: Peer, place: Place): Promise<number> => {
  const flows: Flow[] = [];
  try {
    for (const peer of [first, second]) flows.push(await openFlow(peer, place));
    const pouring = flows.map(async ({ client }, index) => {
      await sleep(index * LATER_MS);
      await client.ask({ do: 'pour', messages: UNLIMITED, ms: TOTAL_MS - index * LATER_MS });
    });
    const counts = (): Promise<number[]> =>
      Promise.all(flows.map(async ({ server }) => (await countOf(server)).bytes));
    await sleep(LATER_MS + SETTLE_MS);
    const before = await counts();
    await sleep(COUNTED_MS);
    const brought = (await counts()).map((bytes, index) => bytes - (before[index] ?? 0));
    await Promise.all(pouring);
    const [mine = 0, other = 0] = brought;
    return mine / (mine + other);
  } finally {
    for (const { server, client } of flows) {
      await client.end();
      await server.end();
    }
  }
};

export const fairness = async ({ peer, place }: Scene): Promise<Figures> => {
  const cubic = findPeer('tcp:cubic');
  if (place.link === undefined || cubic === undefined) throw new Error('fairness needs an IP link');
  const besideItself = await shareOf(peer, peer, place);
  await place.link.setTcpCongestion('cubic');
  const besideCubic = await shareOf(peer, cubic, place);
  return { besideItself, unevenness: Math.abs(besideItself - 0.5), besideCubic };
};
