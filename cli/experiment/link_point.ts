/** Does I/O: one transport over one impaired IP link: goodput, what it repeats, and how long requests take. */

import { setTimeout as pause } from 'node:timers/promises';
import { IpLink } from '../../netem/link/ip_link.ts';
import type { LinkSettings } from '../../netem/link/settings.ts';
import type {
  ClientJob,
  MeasuredRequests,
  ServerCount,
  ServerJob,
} from '../../netem/transports/jobs.ts';
import {
  CLIENT_PROCESS,
  MeasuredProcess,
  SERVER_PROCESS,
} from '../../netem/transports/measured_process.ts';
import type { Repeats } from '../../netem/transports/peer.ts';
import { peerUrl } from '../../netem/transports/peer_module.ts';

export interface Transport {
  readonly name: string;
  readonly module: 'rudp' | 'tcp';
  readonly congestion?: 'cubic' | 'bbr';
}

export interface LinkPoint {
  readonly transport: string;
  readonly rttMs: number;
  readonly loss: number;
  /** Of messages of 64 KiB one way, without headers. */
  readonly goodputMbit: number;
  /** Of the packets of the sender: sent again, and of those the ones that had arrived. */
  readonly repeated: number;
  readonly spurious: number;
  /** Bytes of IP packets on the way there for each byte delivered. */
  readonly wirePerByte: number;
  /** Of requests, one at a time on each of the connections. */
  readonly requests: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

export const RATE_MBIT = 50;
export const QUEUE_MS = 100;
export const CONNECTIONS = 16;
const BULK_PORT = 22_001;
const RPC_PORT = 22_002;
const WARM_MS = 1000;
/** Round trips until a sender has found its rate. */
const WARM_ROUND_TRIPS = 6;
const UNLIMITED = 1_000_000;

interface Ends {
  readonly link: IpLink;
  readonly server: MeasuredProcess<ServerJob>;
  readonly client: MeasuredProcess<ClientJob>;
  readonly loss: number;
  readonly warmMs: number;
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** Connects while nothing is lost: what is compared is how data travels, not how long a handshake takes. */
const connect = async ({ link, server, client, loss }: Ends, port: number, connections: number) => {
  await link.set('both', { loss: 0 });
  await server.ask({ do: 'listen', port });
  await client.ask({ do: 'connect', host: link.b.address, port, connections });
  await link.set('both', { loss });
};

type Bulk = Pick<LinkPoint, 'goodputMbit' | 'repeated' | 'spurious' | 'wirePerByte'>;

const bulk = async (ends: Ends): Promise<Bulk> => {
  const { link, server, client, warmMs, ms, signal } = ends;
  await connect(ends, BULK_PORT, 1);
  const look = async () => ({
    count: await server.ask<ServerCount>({ do: 'count' }),
    repeats: await client.ask<Repeats>({ do: 'repeats' }),
  });
  const pouring = client.ask({ do: 'pour', messages: UNLIMITED, ms: warmMs + ms });
  pouring.catch(() => undefined);
  await pause(warmMs, undefined, { signal });
  const before = await look();
  await link.resetStats();
  await pause(ms, undefined, { signal });
  const after = await look();
  const stats = await link.stats();
  await pouring;
  await client.ask({ do: 'close' });
  const bytes = after.count.bytes - before.count.bytes;
  const sent = after.repeats.sent - before.repeats.sent;
  return {
    goodputMbit: (8 * bytes) / 1000 / (after.count.nowMs - before.count.nowMs),
    repeated: (after.repeats.repeated - before.repeats.repeated) / sent,
    spurious: (after.repeats.spurious - before.repeats.spurious) / sent,
    wirePerByte: bytes === 0 ? Number.NaN : stats.ab.bytes / bytes,
  };
};

const requests = async (ends: Ends): Promise<MeasuredRequests> => {
  const { client, warmMs, ms, signal } = ends;
  await connect(ends, RPC_PORT, CONNECTIONS);
  await client.ask({ do: 'load', inFlight: 1 });
  await pause(warmMs, undefined, { signal });
  const measured = await client.ask<MeasuredRequests>({ do: 'measure', ms });
  await client.ask({ do: 'close' });
  return measured;
};

/** @throws Error if the link cannot be had, a process of it ends, or `signal` aborts. */
export const measurePoint = async (
  transport: Transport,
  at: { readonly rttMs: number; readonly loss: number },
  ms: number,
  seed: number,
  signal: AbortSignal,
): Promise<LinkPoint> => {
  const { rttMs, loss } = at;
  const settings: LinkSettings = {
    delayMs: rttMs / 2,
    rateMbit: RATE_MBIT,
    queueMs: QUEUE_MS,
    seed,
  };
  const link = await IpLink.open(settings);
  const { module, congestion } = transport;
  const server = new MeasuredProcess<ServerJob>(SERVER_PROCESS, [peerUrl(module)], link.b);
  const client = new MeasuredProcess<ClientJob>(CLIENT_PROCESS, [peerUrl(module)], link.a);
  const stop = (): void => void client.end();
  signal.addEventListener('abort', stop);
  try {
    if (congestion !== undefined) await link.setTcpCongestion(congestion);
    const warmMs = Math.max(WARM_MS, WARM_ROUND_TRIPS * rttMs);
    const ends: Ends = { link, server, client, loss, warmMs, ms, signal };
    const streamed = await bulk(ends);
    const { answered, p50Ms, p90Ms, p99Ms } = await requests(ends);
    return {
      transport: transport.name,
      rttMs,
      loss,
      ...streamed,
      requests: answered,
      p50Ms,
      p90Ms,
      p99Ms,
    };
  } finally {
    signal.removeEventListener('abort', stop);
    await client.end();
    await server.end();
    await link.close();
  }
};
