/** Whole connections over bad networks: the promises of rudp, under many seeds. */

import { expect } from 'chai';
import type { EndpointOptions } from '../../rudp/options.ts';
import type { LinkProfile } from '../sim/network.ts';
import { CLIENT, SERVER, SimulatedPair, underSeeds } from './simulated_pair.ts';

const BAD: Partial<LinkProfile> = {
  delayMs: 3,
  jitterMs: 4,
  loss: 0.2,
  duplicate: 0.05,
  reorder: 0.1,
  reorderMs: 20,
  corrupt: 0.02,
};

interface Load {
  readonly messages: number;
  readonly channels: number;
  readonly maxBytes: number;
}

/** Messages carry their channel, their place in it, and bytes that follow from both. */
const messageOf = (channel: number, sequence: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(Math.max(length, 6));
  new DataView(bytes.buffer).setUint16(0, channel);
  new DataView(bytes.buffer).setUint32(2, sequence);
  for (let at = 6; at < bytes.length; at += 1) bytes[at] = (channel + 7 * sequence + at) & 0xff;
  return bytes;
};

/** Checks every delivered message against what was sent, as it comes. */
class Checker {
  readonly #next = new Map<number, number>();
  delivered = 0;

  take(channel: number, message: Uint8Array): void {
    const view = new DataView(message.buffer, message.byteOffset);
    const sequence = view.getUint32(2);
    expect(view.getUint16(0), 'channel').to.equal(channel);
    expect(sequence, `sequence on channel ${channel}`).to.equal(this.#next.get(channel) ?? 0);
    this.#next.set(channel, sequence + 1);
    const expected = messageOf(channel, sequence, message.length);
    if (!message.every((byte, at) => byte === expected[at])) throw new Error('damaged message');
    this.delivered += 1;
  }
}

/** Sends a load both ways, runs until all of it is delivered and acknowledged, and closes. */
const exchange = (pair: SimulatedPair, load: Load): void => {
  const checkers = new Map([
    [pair.client, new Checker()],
    [pair.server, new Checker()],
  ]);
  pair.onEvent = (node, event) => {
    if (event.type === 'message') checkers.get(node)?.take(event.channel, event.message);
  };
  pair.connect();
  for (const node of pair.nodes) {
    const sequences = new Map<number, number>();
    for (let count = 0; count < load.messages; count += 1) {
      const channel = pair.prng.below(load.channels);
      const sequence = sequences.get(channel) ?? 0;
      sequences.set(channel, sequence + 1);
      const length = pair.prng.chance(0.1) ? load.maxBytes : pair.prng.below(400);
      const message = messageOf(channel, sequence, length);
      node.endpoint.send(node.connection, message, { channel }, pair.now);
    }
  }
  const done = () =>
    [...checkers.values()].every(({ delivered }) => delivered === load.messages) &&
    pair.nodes.every(({ endpoint, connection }) => endpoint.stats(connection).bufferedBytes === 0);
  pair.runUntil(done, 'the delivery of everything');
  pair.client.endpoint.close(pair.client.connection, 256, 'done', pair.now);
  pair.runFor(60_000);
  for (const node of pair.nodes) {
    expect(node.of('closed').length, 'closed events').to.equal(1);
    expect(node.endpoint.nextTimeout(), 'timers left').to.equal(undefined);
  }
  for (const { delivered } of checkers.values()) expect(delivered).to.equal(load.messages);
};

const both = (options: Partial<EndpointOptions>) => ({ client: options, server: options });

describe('delivery', () => {
  it('is complete, once and in order per channel on a link that loses, doubles, delays, damages', () => {
    underSeeds([1, 2, 3, 4, 5, 6, 7, 8], (seed) => {
      exchange(new SimulatedPair(seed, BAD), { messages: 150, channels: 8, maxBytes: 9_000 });
    });
  });

  it('holds at any loss up to 30 %', () => {
    underSeeds([11, 12, 13, 14], (seed) => {
      const loss = 0.1 * (seed - 11);
      exchange(new SimulatedPair(seed, { ...BAD, loss }), {
        messages: 60,
        channels: 3,
        maxBytes: 5_000,
      });
    });
  });

  it('holds with large datagrams, and when the path stops carrying them', () => {
    underSeeds([21, 22, 23], (seed) => {
      const pair = new SimulatedPair(
        seed,
        { loss: 0.02 },
        both({ interfaceDatagramBytes: () => 65_507 }),
      );
      let steps = 0;
      pair.afterStep = () => {
        steps += 1;
        if (steps === 30) pair.network.setDefaults({ mtuBytes: 1_200 });
        if (steps === 400) pair.network.setDefaults({ mtuBytes: 65_507 });
      };
      exchange(pair, { messages: 100, channels: 4, maxBytes: 100_000 });
    });
  });

  it('finds what the path carries, falls back on a black hole, and looks again later', () => {
    const options = { interfaceDatagramBytes: () => 65_507, congestion: 'newreno' } as const;
    const pair = new SimulatedPair(1, { mtuBytes: 10_000 }, both(options));
    pair.connect();
    const stats = () => pair.client.endpoint.stats(pair.client.connection);
    pair.runUntil(() => stats().datagramBytes === 8_972, 'the size below 10,000');
    pair.network.setDefaults({ mtuBytes: 1_400 });
    pair.send(new Uint8Array(200_000));
    pair.runUntil(() => pair.server.of('message').length === 1, 'the message through the hole');
    pair.runFor(1_000);
    expect(stats()).to.include({ mtuBlackHoles: 1, datagramBytes: 1_392 });
    expect(pair.now).to.be.lessThan(5_000);
    const before = stats().congestionWindow;
    const delivered = () => pair.server.of('message').length;
    for (let count = 2; count <= 10; count += 1) {
      pair.send(new Uint8Array(10));
      pair.runUntil(() => delivered() === count, 'a small message');
      pair.runFor(1_000);
    }
    expect(stats().datagramBytes).to.equal(1_392);
    expect(stats().congestionWindow, 'after lost probes').to.be.at.least(before);
    pair.network.setDefaults({ mtuBytes: 65_507 });
    pair.runFor(60_000);
    expect(stats().datagramBytes, 'while idle').to.equal(1_392);
    pair.send(new Uint8Array(10));
    pair.runUntil(() => stats().datagramBytes === 65_507, 'the large datagram');
    pair.send(new Uint8Array(200_000));
    pair.runUntil(() => delivered() === 12, 'the message after the hole');
  });

  it('has the datagrams of a loopback within four round trips of the first data', () => {
    const loopback = both({ interfaceDatagramBytes: () => 65_507 });
    const pair = new SimulatedPair(1, { delayMs: 10 }, loopback);
    pair.connect();
    const connectedAt = pair.now;
    pair.send(new Uint8Array(1_000_000));
    const { client } = pair;
    const isLarge = () => client.endpoint.stats(client.connection).datagramBytes === 65_507;
    pair.runUntil(isLarge, 'the large datagram');
    expect(pair.now - connectedAt).to.be.at.most(4 * 20);
  });

  it('holds for a message of 16 MiB', () => {
    const pair = new SimulatedPair(
      3,
      { loss: 0.01 },
      both({ interfaceDatagramBytes: () => 65_507 }),
    );
    pair.connect();
    const message = messageOf(0, 0, 16 * 1024 * 1024);
    pair.send(message);
    pair.runUntil(() => pair.server.of('message').length === 1, 'the long message');
    expect(pair.server.of('message')[0]?.message).to.eql(message);
  });

  it('keeps to its windows: what is held never exceeds them, and all arrives', () => {
    const limits = {
      maxMessageBytes: 10_000,
      connectionWindowBytes: 40_000,
      channelWindowBytes: 12_000,
      maxChannels: 6,
    };
    underSeeds([31, 32, 33], (seed) => {
      const pair = new SimulatedPair(seed, BAD, both(limits));
      pair.afterStep = () => {
        for (const node of pair.nodes) {
          if (node.of('connected').length === 0 || node.of('closed').length > 0) continue;
          const { receiveHeldBytes } = node.endpoint.stats(node.connection);
          expect(receiveHeldBytes).to.be.at.most(limits.connectionWindowBytes);
        }
      };
      exchange(pair, { messages: 80, channels: 6, maxBytes: 10_000 });
    });
  });

  it('stops a sender whose peer does not read, and lets it go on when it does', () => {
    const pair = new SimulatedPair(1, {}, { server: { connectionWindowBytes: 20_000_000 } });
    pair.connect();
    pair.server.reading = false;
    for (let count = 0; count < 50; count += 1) pair.send(new Uint8Array(1_000_000), count % 5);
    pair.runFor(5_000);
    const stats = () => pair.server.endpoint.stats(pair.server.connection);
    expect(stats().receiveHeldBytes).to.be.within(19_000_000, 20_000_000);
    pair.server.reading = true;
    pair.runUntil(() => pair.server.of('message').length === 50, 'the rest');
    expect(stats().receiveHeldBytes).to.equal(0);
  });

  it('refuses beyond the send buffer and says when there is room again', () => {
    const pair = new SimulatedPair(1, {}, { client: { sendBufferBytes: 100_000 } });
    pair.connect();
    let accepted = 0;
    const fill = (): void => {
      try {
        for (; accepted < 1_000; accepted += 1) pair.send(new Uint8Array(1_000));
      } catch (error) {
        expect(error).to.include({ code: 'buffer-full' });
      }
    };
    fill();
    expect(accepted).to.equal(Math.floor(100_000 / 1_064));
    pair.onEvent = (_node, event) => {
      if (event.type === 'drain') fill();
    };
    pair.runUntil(() => pair.server.of('message').length === 1_000, 'all messages');
  });

  it('does not hold up one channel for the loss of another', () => {
    const pair = new SimulatedPair(1, { delayMs: 10 });
    pair.connect();
    pair.runFor(100);
    pair.network.setLink(CLIENT, SERVER, { loss: 1 });
    pair.send(messageOf(1, 0, 500), 1);
    pair.flush();
    pair.network.clearLink(CLIENT, SERVER);
    pair.send(messageOf(1, 1, 500), 1);
    pair.send(messageOf(2, 0, 500), 2);
    const sentAt = pair.now;
    pair.runUntil(() => pair.server.of('message').length === 1, 'the other channel');
    expect(pair.server.of('message')[0]).to.include({ channel: 2 });
    expect(pair.now - sentAt).to.equal(10);
    pair.runUntil(() => pair.server.of('message').length === 3, 'the lossy channel');
    expect(pair.server.of('message').map(({ channel }) => channel)).to.eql([2, 1, 1]);
  });

  it('keeps no state for thousands of channels that are idle', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    for (let channel = 0; channel < 20_000; channel += 1) {
      pair.send(new Uint8Array(10), channel);
      if (channel % 1_000 === 999) {
        pair.runUntil(() => pair.server.of('message').length === channel + 1, 'the messages');
        pair.runFor(20);
      }
    }
    const stats = pair.client.endpoint.stats(pair.client.connection);
    expect(stats).to.include({ activeChannels: 0, bufferedBytes: 0, bytesInFlight: 0 });
    const server = pair.server.endpoint.stats(pair.server.connection);
    expect(server).to.include({ incompleteMessages: 0, receiveHeldBytes: 0 });
  });

  it('recovers a lost last packet by a probe within a few round trips', () => {
    const pair = new SimulatedPair(1, { delayMs: 2 });
    pair.connect();
    for (let count = 0; count < 20; count += 1) {
      pair.send(new Uint8Array(10));
      pair.runFor(20);
    }
    pair.network.setDefaults({ loss: 1 });
    pair.send(new Uint8Array(10));
    pair.flush();
    pair.network.setDefaults({ loss: 0 });
    const sentAt = pair.now;
    pair.runUntil(() => pair.server.of('message').length === 21, 'the probe');
    // The probe carries the data itself: it costs one timeout and one way, not a round trip more.
    const { smoothedRtt, rttvar } = pair.server.endpoint.stats(pair.server.connection);
    expect(rttvar).to.be.lessThan(smoothedRtt);
    expect(pair.now - sentAt).to.be.lessThan(14);
  });

  it('recovers two lost last packets by the two probes of one timeout', () => {
    const pair = new SimulatedPair(1, { delayMs: 10 });
    pair.connect();
    for (let count = 0; count < 20; count += 1) {
      pair.send(new Uint8Array(10));
      pair.runFor(50);
    }
    pair.network.setDefaults({ loss: 1 });
    pair.send(new Uint8Array(1_100), 1);
    pair.send(new Uint8Array(1_100), 2);
    pair.flush();
    pair.network.setDefaults({ loss: 0 });
    const sentAt = pair.now;
    pair.runUntil(() => pair.server.of('message').length === 21, 'the first');
    const firstAt = pair.now;
    pair.runUntil(() => pair.server.of('message').length === 22, 'the second');
    expect(pair.now).to.equal(firstAt);
    expect(pair.now - sentAt).to.be.lessThan(45);
  });

  it('goes on after an outage within a second of its end', () => {
    const pair = new SimulatedPair(1, { delayMs: 2 });
    pair.connect();
    pair.network.setDefaults({ loss: 1 });
    for (let count = 0; count < 100; count += 1) pair.send(new Uint8Array(1_000));
    pair.runFor(5_000);
    pair.network.setDefaults({ loss: 0 });
    const healedAt = pair.now;
    pair.runUntil(() => pair.server.of('message').length === 100, 'everything');
    expect(pair.now - healedAt).to.be.lessThan(1_200);
  });

  it('fills a long fat link: ten megabytes in little more than their time on it', () => {
    const pair = new SimulatedPair(1, { delayMs: 20 });
    pair.connect();
    pair.runFor(100);
    let burst = { at: 0, sent: 0, window: 0 };
    pair.afterStep = () => {
      const { bytesInFlight, congestionWindow, bytesSent } = pair.client.endpoint.stats(
        pair.client.connection,
      );
      expect(bytesInFlight, 'in flight').to.be.at.most(congestionWindow);
      if (pair.now > burst.at) burst = { at: pair.now, sent: bytesSent, window: congestionWindow };
      const allowed = Math.max(12_000, 0.1 * burst.window) + 1_200;
      expect(bytesSent - burst.sent, 'burst').to.be.at.most(allowed);
    };
    for (let count = 0; count < 160; count += 1) pair.send(new Uint8Array(65_536), count % 4);
    pair.runUntil(() => pair.server.of('message').length === 160, 'ten megabytes');
    expect(pair.now).to.be.lessThan(1_000);
    const stats = pair.client.endpoint.stats(pair.client.connection);
    expect(stats).to.include({ packetsLost: 0, retransmittedBytes: 0, spuriousLosses: 0 });
  });

  it('puts small messages that are queued together into few packets', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    pair.runFor(100);
    const before = pair.client.endpoint.stats(pair.client.connection).packetsSent;
    for (let count = 0; count < 100; count += 1) pair.send(new Uint8Array(100), count);
    pair.runUntil(() => pair.server.of('message').length === 100, 'the messages');
    const packets = pair.client.endpoint.stats(pair.client.connection).packetsSent - before;
    expect(packets).to.be.at.most(11);
  });

  it('does not report for ever what was acknowledged long ago', () => {
    const pair = new SimulatedPair(1, { loss: 0.3 }, both({ redundancyShare: 0 }));
    pair.connect();
    const talk = (): void => {
      for (const { endpoint, connection } of pair.nodes) {
        endpoint.send(connection, new Uint8Array(10), {}, pair.now);
      }
      pair.runFor(20);
    };
    for (let round = 0; round < 300; round += 1) talk();
    pair.network.setDefaults({ loss: 0 });
    for (let round = 0; round < 20; round += 1) talk();
    const before = pair.sentBytes.get(`${CLIENT}>${SERVER}`) ?? 0;
    pair.send(new Uint8Array(10));
    pair.flush();
    const after = pair.sentBytes.get(`${CLIENT}>${SERVER}`) ?? 0;
    expect(after - before).to.be.lessThan(50);
    pair.server.endpoint.send(pair.server.connection, new Uint8Array(10), {}, pair.now);
    pair.runFor(3);
    talk();
    const rounds = (pair.sentBytes.get(`${CLIENT}>${SERVER}`) ?? 0) - after;
    expect(rounds).to.be.lessThan(150);
  });

  it('is the same under the same seed', () => {
    const run = (): string => {
      const pair = new SimulatedPair(99, BAD);
      exchange(pair, { messages: 40, channels: 3, maxBytes: 3_000 });
      return JSON.stringify([pair.now, pair.network.counters, [...pair.sentBytes]]);
    };
    expect(run()).to.equal(run());
  });
});
