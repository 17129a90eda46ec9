/** Connections under real encryption, on bad networks: what the keys do must not be seen by anybody. */

import { expect } from 'chai';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';
import type { EndpointOptions } from '../../rudp/options.ts';
import type { LinkProfile } from '../sim/network.ts';
import { Prng } from '../sim/prng.ts';
import { SimulatedPair, underSeeds } from './simulated_pair.ts';

const BAD: Partial<LinkProfile> = {
  delayMs: 3,
  jitterMs: 4,
  loss: 0.2,
  duplicate: 0.05,
  reorder: 0.1,
  reorderMs: 20,
  corrupt: 0.02,
};
const KEY = new Uint8Array(32).fill(9);
const MESSAGES = 200;

const encrypted = (seed: number, options: Partial<EndpointOptions>): Partial<EndpointOptions> => {
  const prng = new Prng(seed);
  const randomBytes = (count: number): Uint8Array => prng.bytes(count);
  return { protection: createNoiseProtection({ keys: [KEY], randomBytes }), ...options };
};

const pairOf = (seed: number, profile = BAD, options: Partial<EndpointOptions> = {}) =>
  new SimulatedPair(seed, profile, {
    client: encrypted(seed, options),
    server: encrypted(seed + 1, options),
  });

/** Sends messages both ways, and expects each once and in order. Answers the key phases seen. */
const exchange = (pair: SimulatedPair, gapMs: number): number => {
  let changes = 0;
  let phase = 6;
  const toServer = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
  pair.server.endpoint.handleDatagram = (from, bytes, now) => {
    const type = bytes[0] ?? 0;
    if ((type === 6 || type === 7) && type !== phase) {
      phase = type;
      changes += 1;
    }
    toServer(from, bytes, now);
  };
  pair.connect();
  for (let count = 0; count < MESSAGES; count += 1) {
    for (const { endpoint, connection } of pair.nodes) {
      const message = new Uint8Array(1 + ((count * 37) % 2_000)).fill(count);
      endpoint.send(connection, message, { channel: count % 3 }, pair.now);
    }
    pair.runFor(gapMs);
  }
  const done = () => pair.nodes.every((node) => node.of('message').length >= MESSAGES);
  pair.runUntil(done, 'the delivery of everything');
  for (const node of pair.nodes) {
    for (const channel of [0, 1, 2]) {
      const got = node.of('message').filter((event) => event.channel === channel);
      const expected = Array.from({ length: MESSAGES }, (_, count) => count).filter(
        (count) => count % 3 === channel,
      );
      expect(got.map(({ message }) => message[0])).to.eql(expected);
    }
    expect(node.of('closed')).to.eql([]);
  }
  return changes;
};

describe('encrypted delivery', () => {
  it('is complete, once and in order on a link that loses, doubles, delays and damages', () => {
    underSeeds([1, 2, 3], (seed) => {
      expect(exchange(pairOf(seed), 1)).to.equal(0);
    });
  });

  it('goes on through key updates of both sides in the middle of everything', () => {
    underSeeds([1, 2, 3, 4, 5, 6], (seed) => {
      const changes = exchange(pairOf(seed, BAD, { keyUpdatePackets: 1 + seed }), 5);
      expect(changes).to.be.greaterThan(5);
    });
  });

  it('changes keys by time too', () => {
    const changes = exchange(pairOf(1, { delayMs: 1 }, { keyUpdateMs: 100 }), 10);
    // 2,000 ms; either side may begin.
    expect(changes).to.be.within(15, 21);
  });
});
