/** Datagrams that cost whoever sends them little: they must cost us less, and no memory. */

import { expect } from 'chai';
import { Endpoint } from '../../rudp/endpoint.ts';
import { MAX_STATELESS_QUEUED, RETRIES_PER_SECOND } from '../../rudp/limits.ts';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { CLIENT, SERVER, SimulatedPair } from './simulated_pair.ts';

const SPOOFED = 100_000;
const COOKIE_LENGTH_AT = 14;
const RETRY_BYTES = 29;
const KEY = new Uint8Array(32).fill(3);

/** The first hello of somebody whom the server does not know. */
const helloOf = (pair: SimulatedPair, protection = createChecksumProtection()): Uint8Array => {
  const { next: random } = pair.prng;
  const stranger = new Endpoint({ name: 'stranger', incarnation: 1, protection, random });
  stranger.connect(SERVER, pair.now);
  return stranger.pollTransmit(pair.now)?.bytes.slice() ?? new Uint8Array();
};

describe('a flood', () => {
  it(`of ${SPOOFED} spoofed hellos leaves no state, and a live connection whole`, () => {
    const options = { protection: createNoiseProtection({ keys: [KEY] }) };
    const pair = new SimulatedPair(1, { delayMs: 1 }, { client: options, server: options });
    pair.connect();
    const { endpoint } = pair.server;
    const before = endpoint.nextTimeout();
    const retriesBefore = endpoint.counters.retriesSent;
    const hello = helloOf(pair, options.protection);
    let received = 0;
    let answered = 0;
    for (let count = 0; count < SPOOFED; count += 1) {
      // Every other one with a cookie that we did not give.
      hello[COOKIE_LENGTH_AT] = count % 2 === 0 ? 0 : 20;
      endpoint.handleDatagram(`10.${count & 255}.${count >> 8}.1:${count}`, hello, pair.now);
      received += hello.length;
      // A socket that keeps up with half of it.
      if (count % 2 === 0) answered += endpoint.pollTransmit(pair.now)?.bytes.length ?? 0;
    }
    let queued = 0;
    for (let more = endpoint.pollTransmit(pair.now); more; more = endpoint.pollTransmit(pair.now)) {
      answered += more.bytes.length;
      queued += 1;
    }
    expect(queued).to.be.at.most(MAX_STATELESS_QUEUED);
    // What finds the queue full is not counted, and costs no tag.
    expect((endpoint.counters.retriesSent - retriesBefore) * RETRY_BYTES).to.equal(answered);
    expect(endpoint.counters.retriesSent).to.be.at.most(RETRIES_PER_SECOND + 1);
    expect(answered).to.be.lessThan(received / 20);
    expect(endpoint.nextTimeout()).to.equal(before);
    expect(endpoint.halfOpen).to.equal(0);
    pair.send(Uint8Array.from([1, 2, 3]));
    pair.runFor(100);
    expect(pair.server.of('message').length).to.equal(1);
    expect(pair.server.of('closed').length).to.equal(0);
  }).timeout(60_000);

  it('of hellos with good cookies fills the half-open places, not one more, and they come free', () => {
    const MAX_HALF_OPEN = 3;
    const server = { maxHalfOpen: MAX_HALF_OPEN, handshakeTimeoutMs: 1_000 };
    const pair = new SimulatedPair(1, {}, { server });
    // Clients that come back with their cookie, and never confirm.
    const silent = (count: number): void => {
      const stranger = pair.createEndpoint(`stranger ${count}`, 1);
      const address = `10.0.1.${count}:1`;
      stranger.connect(SERVER, pair.now);
      for (let hellos = 0; hellos < 2; hellos += 1) {
        const hello = stranger.pollTransmit(pair.now)?.bytes ?? new Uint8Array();
        pair.server.endpoint.handleDatagram(address, hello, pair.now);
        const retry = pair.server.endpoint.pollTransmit(pair.now)?.bytes;
        if (retry !== undefined) stranger.handleDatagram(SERVER, retry, pair.now);
      }
    };
    for (let count = 1; count <= MAX_HALF_OPEN + 2; count += 1) {
      silent(count);
      expect(pair.server.endpoint.halfOpen).to.equal(Math.min(count, MAX_HALF_OPEN));
    }
    // Whoever is in earnest says hello until there is room again.
    const begun = pair.now;
    pair.connect();
    expect(pair.now - begun).to.be.at.least(1_000);
    expect(pair.server.endpoint.halfOpen).to.equal(0);
    expect(pair.server.of('closed').length).to.equal(0);
  });

  it('of forged packets, resets and refusals in the name of the peer ends no encrypted connection', () => {
    const options = { protection: createNoiseProtection({ keys: [KEY] }) };
    const pair = new SimulatedPair(1, { delayMs: 1 }, { client: options, server: options });
    const captured: Uint8Array[] = [];
    const toServer = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
    pair.server.endpoint.handleDatagram = (from, bytes, now) => {
      captured.push(bytes.slice());
      toServer(from, bytes, now);
    };
    pair.connect();
    pair.runFor(100);
    pair.server.endpoint.handleDatagram = toServer;
    for (const bytes of captured) {
      for (let type = 0; type <= 8; type += 1) {
        for (const length of [25, 27, 30, 40, bytes.length]) {
          // The id is right, everything after it is made up: a CLOSE where it would be looked for.
          const forged = new Uint8Array(length).fill(4);
          forged.set(bytes.subarray(0, 13));
          forged[0] = type;
          pair.server.endpoint.handleDatagram(CLIENT, forged, pair.now);
          pair.client.endpoint.handleDatagram(SERVER, forged, pair.now);
        }
      }
    }
    pair.runFor(100);
    pair.send(Uint8Array.from([1]));
    pair.runFor(100);
    expect(pair.server.of('message').length).to.equal(1);
    expect([...pair.server.of('closed'), ...pair.client.of('closed')]).to.eql([]);
  });

  it('of packets under unknown ids is answered by less than came in', () => {
    const options = { protection: createNoiseProtection({ keys: [KEY] }) };
    const pair = new SimulatedPair(1, {}, { server: options });
    const { endpoint } = pair.server;
    for (let length = 9; length < 60; length += 1) {
      const stray = new Uint8Array(length).fill(6);
      stray.fill(0, 1, 3);
      endpoint.handleDatagram(CLIENT, stray, pair.now);
      const answer = endpoint.pollTransmit(pair.now);
      expect(answer?.bytes.length ?? 0).to.be.lessThan(length);
      expect(answer === undefined, `${length} bytes`).to.equal(length <= 25);
    }
  });

  it('of hellos of another version is refused so often a second and no oftener', () => {
    const pair = new SimulatedPair(1);
    const { endpoint } = pair.server;
    const hello = helloOf(pair);
    hello[13] = 99;
    for (let count = 0; count < 10_000; count += 1) {
      endpoint.handleDatagram(`10.0.${count & 255}.9:${count}`, hello, pair.now);
      endpoint.pollTransmit(pair.now);
    }
    expect(endpoint.counters.refusesSent).to.be.within(1, RETRIES_PER_SECOND);
  });
});
