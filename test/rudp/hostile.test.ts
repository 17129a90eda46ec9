/** Bytes that no honest peer sends: nothing throws, and the connection beside them lives on. */

import { expect } from 'chai';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { FRAME } from '../../rudp/frame_codec.ts';
import { PACKET, writeDataHeader } from '../../rudp/packet_codec.ts';
import { Prng } from '../sim/prng.ts';
import { CLIENT, SERVER, SimulatedPair, underSeeds } from './simulated_pair.ts';

/** A connected pair, and one datagram of each kind that its client sent. */
const recorded = (seed: number): { pair: SimulatedPair; samples: Uint8Array[] } => {
  const pair = new SimulatedPair(seed);
  const samples: Uint8Array[] = [];
  const handle = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
  pair.server.endpoint.handleDatagram = (from, bytes, now) => {
    samples.push(bytes.slice());
    handle(from, bytes, now);
  };
  pair.connect();
  pair.send(new Uint8Array(10));
  pair.send(new Uint8Array(3_000), 1);
  pair.runFor(100);
  pair.server.endpoint.handleDatagram = handle;
  return { pair, samples };
};

/** Sends a message and expects it to arrive on the connection that was there before. */
const expectAlive = (pair: SimulatedPair): void => {
  const before = pair.server.of('message').length;
  pair.send(Uint8Array.from([1, 2, 3]), 77);
  pair.runFor(2_000);
  const messages = pair.server.of('message');
  expect(messages.length).to.equal(before + 1);
  expect([...(messages.at(-1)?.message ?? [])]).to.eql([1, 2, 3]);
  expect(pair.server.of('closed').length + pair.client.of('closed').length).to.equal(0);
};

describe('hostile datagrams', () => {
  it('of random bytes and any length are dropped', () => {
    underSeeds([1, 2, 3], (seed) => {
      const { pair } = recorded(seed);
      const prng = new Prng(seed);
      const lengths = [0, 1, 8, 9, 13, 17, 18, 1_199, 1_200, 65_507];
      for (let count = 0; count < 2_000; count += 1) {
        const bytes = prng.bytes(lengths[count] ?? prng.below(prng.chance(0.02) ? 65_508 : 60));
        if (prng.chance(0.9) && bytes.length > 3) {
          bytes[0] = prng.between(0, 8);
          bytes.fill(0, 1, 3);
        }
        pair.server.endpoint.handleDatagram(
          prng.chance(0.5) ? CLIENT : '1.2.3.4:5',
          bytes,
          pair.now,
        );
        pair.client.endpoint.handleDatagram(SERVER, bytes, pair.now);
        pair.flush();
      }
      expectAlive(pair);
    });
  });

  it('that are real ones with flipped bits, cut short, or prolonged are dropped', () => {
    underSeeds([1, 2, 3], (seed) => {
      const { pair, samples } = recorded(seed);
      const prng = new Prng(seed);
      for (let count = 0; count < 3_000; count += 1) {
        const sample = samples[prng.below(samples.length)] ?? new Uint8Array();
        const damage = prng.below(3);
        let bytes = sample.slice();
        if (damage === 0) bytes = bytes.slice(0, prng.below(bytes.length));
        else if (damage === 1) {
          bytes = Uint8Array.from([...bytes, ...prng.bytes(1 + prng.below(9))]);
        } else {
          const at = prng.below(bytes.length);
          bytes[at] = (bytes[at] ?? 0) ^ (1 << prng.below(8));
        }
        pair.server.endpoint.handleDatagram(CLIENT, bytes, pair.now);
        pair.flush();
      }
      expectAlive(pair);
    });
  });

  it('that are replays of real ones change nothing', () => {
    const { pair, samples } = recorded(1);
    const messages = pair.server.of('message').length;
    for (const sample of [...samples, ...samples]) {
      pair.server.endpoint.handleDatagram(CLIENT, sample, pair.now);
    }
    pair.runFor(10_000);
    expect(pair.server.of('message').length).to.equal(messages);
    expect(pair.server.of('connected').length).to.equal(1);
    const data = samples.filter((bytes) => bytes[0] === PACKET.data).length;
    const { duplicatePackets } = pair.server.endpoint.stats(pair.server.connection);
    expect(duplicatePackets).to.equal(2 * data);
    expectAlive(pair);
  });

  it('that are whole but come from another address are read, and are sent no more than they brought', () => {
    const { pair } = recorded(1);
    pair.send(new Uint8Array(100), 5);
    const packet = pair.client.endpoint.pollTransmit(pair.now)?.bytes ?? new Uint8Array();
    const messages = pair.server.of('message').length;
    pair.server.endpoint.handleDatagram('10.0.0.66:1000', packet, pair.now);
    pair.runFor(10_000);
    expect(pair.server.of('message').length).to.equal(messages + 1);
    expect(pair.sentBytes.get(`${SERVER}>10.0.0.66:1000`) ?? 0).to.be.within(1, packet.length);
    expect(pair.server.of('moved')).to.eql([]);
    expectAlive(pair);
  });

  it('of a wrong magic or version make no connection', () => {
    const { pair, samples } = recorded(1);
    const hello = samples.find((bytes) => bytes[0] === PACKET.hello) ?? new Uint8Array();
    for (const at of [9, 10, 11, 12, 13]) {
      const bytes = hello.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0x55;
      pair.server.endpoint.handleDatagram('1.2.3.4:5', bytes, pair.now);
      const answer = pair.server.endpoint.pollTransmit(pair.now);
      expect(answer?.bytes[0], `byte ${at}`).to.equal(at === 13 ? PACKET.refuse : undefined);
    }
    expectAlive(pair);
  });

  it('with good checksums and random frames end the connection at worst', () => {
    let closed = 0;
    underSeeds(
      Array.from({ length: 300 }, (_, index) => index),
      (seed) => {
        let id = 0;
        const protection = createChecksumProtection();
        const pair = new SimulatedPair(seed);
        const handle = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
        pair.server.endpoint.handleDatagram = (from, bytes, now) => {
          const view = new DataView(bytes.buffer, bytes.byteOffset);
          if (bytes[0] === PACKET.data) id = Number(view.getBigUint64(1));
          handle(from, bytes, now);
        };
        pair.connect();
        const prng = new Prng(seed);
        const packets = protection.initiator().packets();
        for (let count = 0; count < 20; count += 1) {
          const frames = prng.bytes(1 + prng.below(40));
          const types = Object.values(FRAME);
          frames[0] = types[prng.below(types.length)] ?? 0;
          for (let at = 1; at < frames.length; at += 1) {
            if (prng.chance(0.7)) frames[at] = prng.below(12);
          }
          const bytes = new Uint8Array(100);
          const header = writeDataHeader(bytes, id, 100 + count);
          bytes.set(frames, header);
          const end = packets.seal(bytes, header, header + frames.length, 100 + count);
          pair.server.endpoint.handleDatagram(CLIENT, bytes.subarray(0, end), pair.now);
          pair.flush();
        }
        pair.runFor(30_000);
        closed += pair.server.of('closed').length;
        expect(pair.server.of('closed').length).to.be.at.most(1);
      },
    );
    expect(closed).to.be.greaterThan(200);
  });
});
