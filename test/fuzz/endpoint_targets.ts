/**
 * A live connection that is given mutated datagrams of its own kind, in any order and in either
 * direction. Without keys the checksum is made right, so that frames are reached; with keys nothing
 * that was changed may have any effect at all.
 */

import { crc32 } from 'node:zlib';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';
import { PACKET } from '../../rudp/packet_codec.ts';
import type { EndpointOptions } from '../../rudp/options.ts';
import type { ConnectionStats } from '../../rudp/stats.ts';
import { writeUint32 } from '../../rudp/varint.ts';
import { CLIENT, SERVER, SimulatedPair, type SimulatedNode } from '../rudp/simulated_pair.ts';
import { Prng } from '../sim/prng.ts';
import type { FuzzTarget } from './target.ts';

/** Small bounds are reached within one life of a pair. */
const LIMITS: Partial<EndpointOptions> = {
  maxMessageBytes: 20_000,
  connectionWindowBytes: 60_000,
  channelWindowBytes: 30_000,
  sendBufferBytes: 60_000,
  maxChannels: 20,
};
/** A message's bytes in all windows beside its own. */
const SLACK_BYTES = 25_000;
/** A pair lives for so many inputs: long enough for state to build up, short enough to begin anew. */
const INPUTS_PER_PAIR = 400;
const CHECKSUM_BYTES = 4;
/** The first of them are those that the connection began with. */
const EVENTS_KEPT = 4;

const pairOf = (seed: number, options: Partial<EndpointOptions>): SimulatedPair => {
  const pair = new SimulatedPair(seed, { delayMs: 1 }, { client: options, server: options });
  pair.connect();
  return pair;
};

/** Datagrams of both sides of a connection that has carried messages of all kinds, and its close. */
const record = (options: Partial<EndpointOptions>): Uint8Array[] => {
  const pair = pairOf(1, options);
  const samples: Uint8Array[] = [];
  for (const node of pair.nodes) {
    const handle = node.endpoint.handleDatagram.bind(node.endpoint);
    node.endpoint.handleDatagram = (from, bytes, now) => {
      samples.push(bytes.slice());
      handle(from, bytes, now);
    };
  }
  pair.network.setDefaults({ loss: 0.2 });
  for (let count = 0; count < 25; count += 1) {
    pair.send(new Uint8Array((count * 137) % 3_000), count % 5);
    const { endpoint, connection } = pair.server;
    const options = { ordered: count % 2 === 0, ...(count % 3 === 0 ? { deadlineMs: 8 } : {}) };
    endpoint.send(connection, new Uint8Array(30 * count), options, pair.now);
    pair.runFor(2);
  }
  pair.runFor(300);
  pair.connect();
  pair.client.endpoint.close(pair.client.connection, 0x100, 'done', pair.now);
  pair.runFor(100);
  return samples;
};

const checkBounds = (stats: ConnectionStats): void => {
  const { receiveHeldBytes, incompleteMessages, bufferedBytes } = stats;
  const bound = (LIMITS.connectionWindowBytes ?? 0) + SLACK_BYTES;
  if (receiveHeldBytes > bound) throw new Error(`${receiveHeldBytes} bytes are held`);
  if (incompleteMessages > bound / 64) throw new Error(`${incompleteMessages} incomplete messages`);
  if (bufferedBytes > bound) throw new Error(`${bufferedBytes} bytes are buffered`);
};

const statsOf = ({ endpoint, connection }: SimulatedNode): ConnectionStats | undefined => {
  try {
    return endpoint.stats(connection);
  } catch {
    return undefined;
  }
};

/** The newest connection's ids, so that an input meets it and not one that is gone. */
const address = (input: Uint8Array, template: Uint8Array): void => {
  input.set(template.subarray(1, 9), 1);
};

class LivePair {
  readonly #options: Partial<EndpointOptions>;
  readonly #fixChecksum: boolean;
  readonly #prng = new Prng(1);
  #pair: SimulatedPair;
  #inputs = 0;
  /** The connection has ended on one side. */
  #over = false;
  #seed = 1;
  /** The last data packet that each node got. */
  readonly #templates = new Map<SimulatedNode, Uint8Array>();

  constructor(options: Partial<EndpointOptions>, fixChecksum: boolean) {
    this.#options = options;
    this.#fixChecksum = fixChecksum;
    this.#pair = this.#renew();
  }

  #renew(): SimulatedPair {
    this.#seed += 1;
    this.#inputs = 0;
    this.#templates.clear();
    const pair = pairOf(this.#seed, this.#options);
    this.#over = false;
    pair.onEvent = (node, event) => {
      this.#over ||= event.type === 'closed';
      node.events.length = Math.min(node.events.length, EVENTS_KEPT);
    };
    for (const node of pair.nodes) {
      const handle = node.endpoint.handleDatagram.bind(node.endpoint);
      node.endpoint.handleDatagram = (from, bytes, now) => {
        if (bytes[0] === PACKET.data) this.#templates.set(node, bytes.slice(0, 9));
        handle(from, bytes, now);
      };
    }
    pair.send(new Uint8Array(50));
    pair.server.endpoint.send(pair.server.connection, new Uint8Array(50), {}, pair.now);
    pair.runFor(20);
    return pair;
  }

  /** True if the connection has taken the input for one of its packets. */
  give(input: Uint8Array): boolean {
    this.#inputs += 1;
    if (this.#inputs > INPUTS_PER_PAIR) this.#pair = this.#renew();
    const pair = this.#pair;
    const toServer = this.#prng.chance(0.6);
    const node = toServer ? pair.server : pair.client;
    const datagram = input.slice();
    const before = statsOf(node)?.packetsReceived ?? 0;
    const template = this.#templates.get(node);
    if (datagram.length > 13 && template !== undefined && (datagram[0] ?? 0) >= PACKET.data) {
      address(datagram, template);
      if (this.#fixChecksum) this.#fix(datagram, before);
    }
    node.endpoint.handleDatagram(toServer ? CLIENT : SERVER, datagram, pair.now);
    const after = statsOf(node);
    if (after !== undefined) checkBounds(after);
    pair.runFor(this.#prng.chance(0.1) ? 60 : 1);
    if (this.#over) this.#pair = this.#renew();
    return (after?.packetsReceived ?? before) > before;
  }

  /** Gives the packet a number that is due, mostly, and the checksum that belongs to it. */
  #fix(datagram: Uint8Array, number: number): void {
    if (this.#prng.chance(0.9)) writeUint32(datagram, 9, number + this.#prng.below(4));
    const end = datagram.length - CHECKSUM_BYTES;
    writeUint32(datagram, end, crc32(datagram.subarray(0, end)));
  }
}

const endpoint = (
  name: string,
  share: number,
  options: Partial<EndpointOptions>,
  fixChecksum: boolean,
): FuzzTarget => {
  let pair: LivePair | undefined;
  return {
    name,
    share,
    samples: record(options),
    run(input) {
      pair ??= new LivePair(options, fixChecksum);
      try {
        return pair.give(input);
      } catch (error) {
        pair = undefined;
        throw error;
      }
    },
  };
};

export const endpointTargets = (): FuzzTarget[] => [
  endpoint('endpoint', 1, LIMITS, true),
  endpoint(
    'encrypted endpoint',
    0.3,
    { ...LIMITS, protection: createNoiseProtection({ keys: [new Uint8Array(32)] }) },
    false,
  ),
];
