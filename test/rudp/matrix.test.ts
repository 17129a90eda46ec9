/** Every combination of what networks and clocks do, a short exchange over each. */

import { expect } from 'chai';
import type { LinkProfile } from '../sim/network.ts';
import { SimulatedPair } from './simulated_pair.ts';

const LOSSES = [0, 0.01, 0.05, 0.2, 0.3];
const REORDERS = [0, 0.1];
const DUPLICATES = [0, 0.05];
const JITTERS_MS = [0, 6];
/** The path begins with the first size, and has the second from the middle on. */
const MTUS = [
  [65_507, 65_507],
  [9_000, 1_200],
] as const;
/** How often the clocks move on: always, as on most systems, and as on the coarsest. */
const TICKS_MS = [0, 1, 15];
const CONGESTION = ['bbr', 'cubic', 'newreno'] as const;

const MESSAGES = 60;
const CHANNELS = 4;
/** No exchange may take longer than this in virtual time. */
const DEADLINE_MS = 60_000;

/** A message names its channel and its place in it. */
const messageOf = (channel: number, sequence: number, length: number): Uint8Array => {
  const message = new Uint8Array(length).fill(channel * 31 + sequence);
  new DataView(message.buffer).setUint32(0, sequence);
  return message;
};

/** Sends a load from the client while the path changes; checks order and content on arrival. */
const exchange = (
  seed: number,
  profile: Partial<LinkProfile>,
  [mtuBytes, laterMtuBytes]: readonly [number, number],
  tickMs: number,
  congestion: (typeof CONGESTION)[number],
): void => {
  const interfaceDatagramBytes = () => 9_000;
  const options = { congestion, interfaceDatagramBytes, connectionWindowBytes: 20_000_000 };
  const pair = new SimulatedPair(
    seed,
    { delayMs: 5, ...profile, mtuBytes },
    { client: options, server: options },
  );
  pair.tickMs = tickMs;
  pair.connect();
  const next = new Array<number>(CHANNELS).fill(0);
  let delivered = 0;
  pair.onEvent = (node, event) => {
    if (event.type !== 'message' || node !== pair.server) return;
    const sequence = next[event.channel]!;
    next[event.channel] = sequence + 1;
    const expected = messageOf(event.channel, sequence, event.message.length);
    expect(Buffer.compare(event.message, expected), 'content and order').to.equal(0);
    delivered += 1;
    if (delivered === MESSAGES / 2) pair.network.setDefaults({ mtuBytes: laterMtuBytes });
  };
  for (let count = 0; count < MESSAGES; count += 1) {
    const channel = count % CHANNELS;
    const length = pair.prng.chance(0.2) ? 20_000 : pair.prng.between(4, 600);
    pair.send(messageOf(channel, Math.floor(count / CHANNELS), length), channel);
  }
  const { client } = pair;
  const isDone = (): boolean =>
    delivered === MESSAGES && client.endpoint.stats(client.connection).bufferedBytes === 0;
  pair.runUntil(() => isDone() || pair.now > DEADLINE_MS, 'the delivery of everything');
  expect(delivered).to.equal(MESSAGES);
  expect(pair.now).to.be.at.most(DEADLINE_MS);
  const stats = pair.server.endpoint.stats(pair.server.connection);
  expect(stats).to.include({ receiveHeldBytes: 0, incompleteMessages: 0 });
};

/** All ways to take one of each list. */
const combinations = (loss: number): readonly Parameters<typeof exchange>[] => {
  let seed = 1_000 * loss;
  return REORDERS.flatMap((reorder) =>
    DUPLICATES.flatMap((duplicate) =>
      JITTERS_MS.flatMap((jitterMs) =>
        MTUS.flatMap((mtu) =>
          TICKS_MS.flatMap((tickMs) =>
            CONGESTION.map((congestion): Parameters<typeof exchange> => {
              seed += 1;
              return [seed, { loss, reorder, duplicate, jitterMs }, mtu, tickMs, congestion];
            }),
          ),
        ),
      ),
    ),
  );
};

describe('every combination of loss, reordering, duplication, jitter, path size and clock', () => {
  for (const loss of LOSSES) {
    it(`delivers all messages once, in order, whole, at a loss of ${100 * loss} %`, () => {
      for (const each of combinations(loss)) {
        try {
          exchange(...each);
        } catch (cause) {
          throw new Error(`failed with ${JSON.stringify(each)}`, { cause });
        }
      }
    });
  }
});
