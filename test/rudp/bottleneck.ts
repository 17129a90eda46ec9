/**
 * Flows that share one bottleneck, in virtual time: a link of a rate with a queue that drops at its
 * end, a delay, and losses by chance, each way. For the tests of congestion control.
 */

import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { Endpoint } from '../../rudp/endpoint.ts';
import type { EndpointOptions } from '../../rudp/options.ts';
import type { ConnectionStats } from '../../rudp/stats.ts';
import { EventQueue } from '../sim/event_queue.ts';
import { Prng } from '../sim/prng.ts';

export interface BottleneckProfile {
  /** There and back, without a queue. */
  readonly rttMs: number;
  /** The part of datagrams that each way loses by chance. */
  readonly loss: number;
  readonly mbitPerSecond: number;
  /** How long a datagram waits in the full queue. */
  readonly queueMs: number;
}

const BITS_PER_BYTE = 8;
const LATE_MS = 2;
/** A handshake that takes longer has failed. */
const CONNECT_MS = 60_000;
const KILO = 1000;
/** What IP, UDP and Ethernet add to a datagram on the wire. */
const WIRE_OVERHEAD_BYTES = 42;

/** One direction of the link. */
class Direction {
  readonly #profile: BottleneckProfile;
  readonly #prng: Prng;
  mbitPerSecond: number;
  #freeAt = 0;
  dropped = 0;
  /** The part of datagrams that comes two milliseconds late. */
  swap = 0;

  constructor(profile: BottleneckProfile, prng: Prng) {
    this.#profile = profile;
    this.#prng = prng;
    this.mbitPerSecond = profile.mbitPerSecond;
  }

  /** When a datagram that is sent now arrives; undefined if it does not. */
  pass(sizeBytes: number, now: number): number | undefined {
    const start = Math.max(this.#freeAt, now);
    if (start - now > this.#profile.queueMs) {
      this.dropped += 1;
      return undefined;
    }
    const bytesPerMs = (this.mbitPerSecond * KILO) / BITS_PER_BYTE;
    this.#freeAt = start + (sizeBytes + WIRE_OVERHEAD_BYTES) / bytesPerMs;
    if (this.#prng.chance(this.#profile.loss)) return undefined;
    const lateMs = this.swap > 0 && this.#prng.chance(this.swap) ? LATE_MS : 0;
    return this.#freeAt + this.#profile.rttMs / 2 + lateMs;
  }
}

/** A sender and a receiver. */
export class Flow {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly address: string;
  handle = 0;
  deliveredBytes = 0;
  wireBytes = 0;
  connected = false;
  timerAt = 0;
  /** Called before datagrams are taken from the endpoints; may send. */
  beforeFlush: () => void = () => undefined;
  /** Called for each message that arrives at the server, and at the client. */
  onServer: (message: Uint8Array, connection: number) => void = () => undefined;
  onClient: (message: Uint8Array) => void = () => undefined;

  constructor(index: number, prng: Prng, options: Partial<EndpointOptions>) {
    const create = (name: string): Endpoint =>
      new Endpoint({
        name,
        incarnation: 1,
        protection: createChecksumProtection(),
        random: prng.fork().next,
        ...options,
      });
    this.client = create(`client${index}`);
    this.server = create(`server${index}`);
    this.address = `10.0.0.1:${index + 1}`;
  }

  stats(): ConnectionStats {
    return this.client.stats(this.handle);
  }
}

const SERVER_ADDRESS = '10.1.0.1:1';
/** A bulk flow has so much waiting to be sent. */
const BULK_BUFFER_BYTES = 8 * 1024 * 1024;

export class Bottleneck {
  readonly flows: Flow[] = [];
  readonly there: Direction;
  readonly back: Direction;
  readonly #prng: Prng;
  readonly #queue = new EventQueue();

  constructor(seed: number, profile: BottleneckProfile) {
    this.#prng = new Prng(seed);
    this.there = new Direction(profile, this.#prng.fork());
    this.back = new Direction(profile, this.#prng.fork());
  }

  get now(): number {
    return this.#queue.now;
  }

  /** Adds a flow and connects it. */
  addFlow(options: Partial<EndpointOptions> = {}): Flow {
    const flow = new Flow(this.flows.length, this.#prng, options);
    this.flows.push(flow);
    flow.handle = flow.client.connect(SERVER_ADDRESS, this.now);
    this.flush(flow);
    this.run(this.now + CONNECT_MS, () => flow.connected);
    return flow;
  }

  /** Keeps `flow` supplied with messages of `bytes`, from now on. */
  bulk(flow: Flow, bytes = 64 * 1024): void {
    let sentBytes = 0;
    const fill = (): void => {
      for (; sentBytes - flow.deliveredBytes < BULK_BUFFER_BYTES; sentBytes += bytes) {
        flow.client.send(flow.handle, new Uint8Array(bytes), { channel: 0 }, this.now);
      }
    };
    flow.onServer = (message) => {
      flow.deliveredBytes += message.length;
    };
    flow.beforeFlush = fill;
    this.flush(flow);
  }

  /** Calls `work` at a time. */
  at(time: number, work: () => void): void {
    this.#queue.at(time, work);
  }

  /** To be called after anything was given to the endpoints of `flow`. */
  flush(flow: Flow): void {
    this.#read(flow);
    if (flow.connected) flow.beforeFlush();
    flow.wireBytes += this.#transmit(flow.client, this.there, (bytes) => {
      flow.server.handleDatagram(flow.address, bytes, this.now);
      this.flush(flow);
    });
    this.#transmit(flow.server, this.back, (bytes) => {
      flow.client.handleDatagram(SERVER_ADDRESS, bytes, this.now);
      this.flush(flow);
    });
    this.#planTimer(flow);
  }

  #planTimer(flow: Flow): void {
    const { client, server } = flow;
    const next = Math.min(client.nextTimeout() ?? Infinity, server.nextTimeout() ?? Infinity);
    if (next === Infinity || (flow.timerAt > this.now && flow.timerAt <= next)) return;
    flow.timerAt = next;
    this.#queue.at(next, () => {
      for (const endpoint of [client, server]) {
        if ((endpoint.nextTimeout() ?? Infinity) <= this.now) endpoint.handleTimeout(this.now);
      }
      this.flush(flow);
    });
  }

  #read(flow: Flow): void {
    for (let event = flow.server.pollEvent(); event; event = flow.server.pollEvent()) {
      if (event.type === 'message') flow.onServer(event.message, event.connection);
    }
    for (let event = flow.client.pollEvent(); event; event = flow.client.pollEvent()) {
      if (event.type === 'connected') flow.connected = true;
      if (event.type === 'message') flow.onClient(event.message);
    }
  }

  /** Puts all that `from` has to send on its way; answers how many bytes that was. */
  #transmit(from: Endpoint, direction: Direction, arrive: (bytes: Uint8Array) => void): number {
    let total = 0;
    for (let sent = from.pollTransmit(this.now); sent; sent = from.pollTransmit(this.now)) {
      total += sent.bytes.length;
      const at = direction.pass(sent.bytes.length, this.now);
      if (at === undefined) continue;
      const bytes = sent.bytes.slice();
      this.#queue.at(at, () => {
        arrive(bytes);
      });
    }
    return total;
  }

  /** Lets virtual time pass up to `until`, or until `done`. */
  run(until: number, done: () => boolean = () => false): void {
    let over = false;
    this.#queue.at(until, () => {
      over = true;
    });
    const isOver = (): boolean => over || done();
    while (!isOver() && this.#queue.step());
  }
}
