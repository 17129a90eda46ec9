/** I/O: the process that asks and sends: `client_process PEER_MODULE`. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  BULK_BYTES,
  KIND,
  NUMBER_AT,
  REQUEST_BYTES,
  RESPONSE_BYTES,
  type Address,
  type ClientJob,
  type MeasuredRequests,
  type Poured,
  type Took,
} from './jobs.ts';
import { answerParent } from './measured_process.ts';
import type { PeerConnection, PeerModule } from './peer.ts';
import { loadFreshPeer, loadPeer } from './peer_module.ts';
import { cpuSeconds, nowMs } from './process_clock.ts';
import { percentile } from './statistics.ts';

/** Connections that are made at the same time. */
const CONNECTING = 8;
const PAUSE_AFTER_ERROR_MS = 10;
const LOOK_MS = 5;

const [name = ''] = process.argv.slice(2);
const open: PeerConnection[] = [];
let number = 0;
/** Requests that were begun while a measurement ran. */
interface Measurement {
  readonly latenciesMs: number[];
  /** When those were begun that are not answered yet. */
  readonly open: Set<{ readonly begunMs: number }>;
}

/** What new requests belong to; undefined between two measurements. */
let current: Measurement | undefined;
let errors = 0;
let loading = false;

/** @throws Error if the response is not that to this request. */
const askOnce = async (connection: PeerConnection, bytes = REQUEST_BYTES): Promise<number> => {
  number = (number + 1) >>> 0;
  const mine = number;
  const body = Buffer.alloc(bytes, KIND.request);
  body.writeUInt32BE(mine, NUMBER_AT);
  const begunMs = nowMs();
  const response = await connection.request(body);
  const tookMs = nowMs() - begunMs;
  if (response.length !== RESPONSE_BYTES || response.readUInt32BE(NUMBER_AT) !== mine) {
    throw new Error(`request ${mine} got another response`);
  }
  return tookMs;
};

const keepAsking = async (connection: PeerConnection): Promise<void> => {
  while (loading) {
    const mine = current;
    const request = { begunMs: nowMs() };
    mine?.open.add(request);
    try {
      const tookMs = await askOnce(connection);
      if (mine?.open.delete(request) === true) mine.latenciesMs.push(tookMs);
    } catch {
      mine?.open.delete(request);
      errors += 1;
      await sleep(PAUSE_AFTER_ERROR_MS);
    }
  }
};

const connect = async (peer: PeerModule, at: Address, count: number): Promise<void> => {
  while (open.length < count) {
    const wanted = Math.min(CONNECTING, count - open.length);
    const one = (): Promise<PeerConnection> => peer.connect(at.host, at.port);
    open.push(...(await Promise.all(Array.from({ length: wanted }, one))));
  }
};

const loadInstance = (fresh: boolean): Promise<PeerModule> =>
  fresh ? loadFreshPeer(name) : loadPeer(name);

const first = (): PeerConnection => {
  const [connection] = open;
  if (connection === undefined) throw new Error('not connected');
  return connection;
};

/**
 * How long all requests of a measurement took. The slow ones are among those that it ended before: they are waited
 * for, and what is not answered even then counts with the time that it has taken so far.
 */
const allOf = async (
  { latenciesMs, open: waiting }: Measurement,
  limitMs: number,
): Promise<number[]> => {
  const endMs = nowMs() + limitMs;
  while (waiting.size > 0 && nowMs() < endMs) await sleep(LOOK_MS);
  const unanswered = [...waiting].map(({ begunMs }) => nowMs() - begunMs);
  waiting.clear();
  return [...latenciesMs, ...unanswered];
};

const measure = async (ms: number): Promise<MeasuredRequests> => {
  const errorsBefore = errors;
  const cpuBefore = cpuSeconds();
  const begunMs = nowMs();
  const mine: Measurement = { latenciesMs: [], open: new Set() };
  current = mine;
  await sleep(ms);
  current = undefined;
  const counted = {
    answered: mine.latenciesMs.length,
    seconds: (nowMs() - begunMs) / 1000,
    cpuSeconds: cpuSeconds() - cpuBefore,
    errors: errors - errorsBefore,
  };
  const taken = await allOf(mine, ms);
  return {
    ...counted,
    p50Ms: percentile(taken, 0.5),
    p90Ms: percentile(taken, 0.9),
    p99Ms: percentile(taken, 0.99),
    maxMs: percentile(taken, 1),
  };
};

const pour = async (messages: number, ms: number): Promise<Poured> => {
  const connection = first();
  const cpuBefore = cpuSeconds();
  const begunMs = nowMs();
  const deadline = sleep(ms);
  const message = Buffer.alloc(BULK_BYTES, KIND.bulk);
  let sent = 0;
  for (; sent < messages && nowMs() - begunMs < ms; sent += 1) {
    const wait = connection.send(message);
    if (wait !== undefined) await Promise.race([wait, deadline]);
  }
  return { sent, begunMs, cpuSeconds: cpuSeconds() - cpuBefore };
};

const askFirst = async (at: Address): Promise<Took> => {
  const peer = await loadFreshPeer(name);
  const begunMs = nowMs();
  const connection = await peer.connect(at.host, at.port);
  await askOnce(connection);
  const ms = nowMs() - begunMs;
  connection.close();
  return { ms };
};

answerParent<ClientJob>(async (job) => {
  switch (job.do) {
    case 'connect':
      return connect(await loadInstance(job.fresh === true), job, job.connections);
    case 'load':
      loading = true;
      for (const connection of open) {
        for (let count = 0; count < job.inFlight; count += 1) void keepAsking(connection);
      }
      return undefined;
    case 'measure':
      return measure(job.ms);
    case 'pour':
      return pour(job.messages, job.ms);
    case 'one':
      return { ms: await askOnce(first(), job.bytes) } satisfies Took;
    case 'first':
      return askFirst(job);
    case 'repeats':
      return first().repeats?.();
    case 'close':
      loading = false;
      for (const connection of open.splice(0)) connection.close();
      return undefined;
    default:
      job satisfies never;
      return undefined;
  }
});
