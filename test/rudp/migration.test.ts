/** Peers whose address changes while a connection lasts. */

import { expect } from 'chai';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';
import { PACKET } from '../../rudp/packet_codec.ts';
import { CLIENT, SERVER, SimulatedPair, underSeeds } from './simulated_pair.ts';

const REBOUND = '10.0.0.1:1001';
const ELSEWHERE = '10.9.9.9:1000';
const MALLORY = '10.0.0.66:6';

const messages = (pair: SimulatedPair): number => pair.server.of('message').length;
const statsOf = (pair: SimulatedPair) => pair.server.endpoint.stats(pair.server.connection);
const bothClosed = (pair: SimulatedPair) => [
  ...pair.client.of('closed'),
  ...pair.server.of('closed'),
];

/** A pair with a round trip of 10 ms that has exchanged a little. */
const connected = (seed = 1, loss = 0): SimulatedPair => {
  const protection = createNoiseProtection({ keys: [new Uint8Array(32).fill(7)] });
  const options = seed % 2 === 0 ? { client: { protection }, server: { protection } } : {};
  const pair = new SimulatedPair(seed, { delayMs: 5, loss }, options);
  pair.connect();
  pair.send(new Uint8Array(50_000));
  pair.runUntil(() => messages(pair) === 1, 'a first message');
  pair.runFor(100);
  return pair;
};

describe('a peer that moves', () => {
  for (const address of [REBOUND, ELSEWHERE]) {
    it(`to ${address} keeps its connection, in both directions, in the middle of a transfer`, () => {
      underSeeds([1, 2, 3, 4, 5, 6], (seed) => {
        const pair = connected(seed, seed > 2 ? 0.05 : 0);
        pair.send(new Uint8Array(300_000), 1);
        pair.server.endpoint.send(pair.server.connection, new Uint8Array(300_000), {}, pair.now);
        pair.runFor(8);
        pair.client.address = address;
        pair.runUntil(() => messages(pair) === 2, 'the message of the moved client');
        pair.runUntil(() => pair.client.of('message').length === 1, 'the message to it');
        const { connection } = pair.server;
        expect(pair.server.of('moved')).to.eql([{ type: 'moved', connection, address }]);
        expect(bothClosed(pair)).to.eql([]);
        pair.runFor(1_000);
        pair.client.endpoint.close(pair.client.connection, 300, 'done', pair.now);
        pair.runFor(2_000);
        for (const node of pair.nodes) {
          expect(node.of('closed')).to.have.length(1);
          expect(node.endpoint.nextTimeout(), 'nothing is left').to.equal(undefined);
        }
      });
    });
  }

  it('is followed by the next ping, if nobody has anything to send', () => {
    const pair = connected();
    pair.client.address = ELSEWHERE;
    pair.runFor(4_000);
    expect(pair.server.of('moved').length).to.equal(1);
    expect(bothClosed(pair)).to.eql([]);
  });

  it('behind a new port keeps what was measured; at another host all is measured anew', () => {
    for (const address of [REBOUND, ELSEWHERE]) {
      const pair = connected();
      pair.server.endpoint.send(pair.server.connection, new Uint8Array(500_000), {}, pair.now);
      pair.runFor(1_000);
      const before = statsOf(pair);
      expect(before.datagramBytes).to.equal(1_472);
      pair.network.setDefaults({ delayMs: 40 });
      pair.client.address = address;
      pair.send(new Uint8Array(10));
      pair.runUntil(() => pair.server.of('moved').length === 1, 'the move');
      const after = statsOf(pair);
      const isSamePath = address === REBOUND;
      expect(after.minRtt < 20).to.equal(isSamePath);
      expect(after.datagramBytes).to.equal(isSamePath ? before.datagramBytes : 1_200);
      expect(after.congestionWindow === before.congestionWindow).to.equal(isSamePath);
      if (isSamePath) continue;
      expect(after.smoothedRtt).to.equal(80);
      expect(after.bytesInFlight, 'a ping').to.be.lessThan(100);
    }
  });

  it('may move again and back', () => {
    const pair = connected();
    for (const address of [REBOUND, ELSEWHERE, CLIENT]) {
      pair.client.address = address;
      const before = messages(pair);
      pair.send(new Uint8Array(20_000), 2);
      pair.runUntil(() => messages(pair) > before, `a message from ${address}`);
      pair.runUntil(() => pair.server.of('moved').at(-1)?.address === address, 'the move');
      pair.runFor(500);
    }
    expect(pair.server.of('moved').length).to.equal(3);
  });

  it('does not before its handshake is over', () => {
    const pair = new SimulatedPair(1);
    pair.client.endpoint.connect(SERVER, pair.now);
    const handle = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
    pair.server.endpoint.handleDatagram = (from, bytes, now) => {
      if (from === ELSEWHERE || bytes[0] !== PACKET.data) handle(from, bytes, now);
    };
    pair.runUntil(() => pair.client.of('connected').length === 1, 'the welcome');
    pair.client.address = ELSEWHERE;
    pair.send(new Uint8Array(10_000));
    pair.runFor(20_000);
    expect(pair.server.events).to.eql([]);
  });
});

describe('somebody who moves the packets of others', () => {
  /** The client's next packets, which never reach the server. */
  const captured = (pair: SimulatedPair): Uint8Array[] => {
    pair.send(new Uint8Array(3_000), 5);
    const packets: Uint8Array[] = [];
    for (
      let sent = pair.client.endpoint.pollTransmit(pair.now);
      sent !== undefined;
      sent = pair.client.endpoint.pollTransmit(pair.now)
    ) {
      packets.push(sent.bytes.slice());
    }
    return packets;
  };
  const sentToMallory = (pair: SimulatedPair): number =>
    pair.sentBytes.get(`${SERVER}>${MALLORY}`) ?? 0;

  it('from another address is sent no more than came from there, and moves nothing', () => {
    underSeeds([1, 2], (seed) => {
      const pair = connected(seed);
      const packets = captured(pair);
      let received = 0;
      for (const packet of packets) {
        pair.server.endpoint.handleDatagram(MALLORY, packet, pair.now);
        received += packet.length;
      }
      // What was repeated does not count.
      for (const packet of packets) pair.server.endpoint.handleDatagram(MALLORY, packet, pair.now);
      pair.runFor(20_000);
      expect(sentToMallory(pair)).to.be.within(1, received);
      expect(pair.server.of('moved')).to.eql([]);
      expect(bothClosed(pair)).to.eql([]);
    });
  });

  it('repeats in vain what the peer has sent before', () => {
    const pair = connected();
    const heard: Uint8Array[] = [];
    const handle = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
    pair.server.endpoint.handleDatagram = (from, bytes, now) => {
      heard.push(bytes.slice());
      handle(from, bytes, now);
    };
    pair.send(new Uint8Array(20_000));
    pair.runFor(500);
    for (const bytes of heard) handle(MALLORY, bytes, pair.now);
    pair.runFor(5_000);
    expect(sentToMallory(pair)).to.equal(0);
  });

  it('and brings the challenge to the peer and its answer back, while the peer is still heard', () => {
    const pair = connected();
    const toServer = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
    const [packet = new Uint8Array()] = captured(pair);
    toServer(MALLORY, packet, pair.now);
    const challenge = pair.server.endpoint.pollTransmit(pair.now);
    expect(challenge?.to).to.equal(MALLORY);
    const bytes = challenge?.bytes.slice() ?? new Uint8Array();
    // The server has asked the old address as well, and the peer answers that first.
    pair.runFor(50);
    pair.client.endpoint.handleDatagram(MALLORY, bytes, pair.now);
    const answer = pair.client.endpoint.pollTransmit(pair.now);
    if (answer?.to === MALLORY) toServer(MALLORY, answer.bytes.slice(), pair.now);
    pair.runFor(100);
    expect(pair.server.of('moved')).to.eql([]);
    expect(bothClosed(pair)).to.eql([]);
  });
});
