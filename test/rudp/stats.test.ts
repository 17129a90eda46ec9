/** That the counters of a connection tell what happened to it. */

import { expect } from 'chai';
import type { ConnectionStats } from '../../rudp/stats.ts';
import type { LinkProfile } from '../sim/network.ts';
import { SimulatedPair } from './simulated_pair.ts';

/** Both sides' counters after 300 small and 30 large messages from the client. */
const exchange = (
  profile: Partial<LinkProfile>,
): { client: ConnectionStats; server: ConnectionStats; busy: ConnectionStats } => {
  const pair = new SimulatedPair(3, { delayMs: 10, ...profile });
  pair.connect();
  const client = (): ConnectionStats => pair.client.endpoint.stats(pair.client.connection);
  for (let count = 0; count < 300; count += 1) {
    pair.send(new Uint8Array(200), 1);
    pair.runFor(5);
  }
  for (let count = 0; count < 30; count += 1) pair.send(new Uint8Array(20_000), 2);
  pair.flush();
  const busy = client();
  pair.runUntil(() => client().bufferedBytes === 0, 'the acknowledgement of everything');
  pair.runFor(500);
  return { client: client(), server: pair.server.endpoint.stats(pair.server.connection), busy };
};

describe('the counters of a connection', () => {
  it('agree on both sides of a clean link, and tell of no loss', () => {
    const { client, server, busy } = exchange({});
    expect(client).to.include({ messagesSent: 330, packetsLost: 0, retransmits: 0 });
    expect(client).to.include({ spuriousLosses: 0, copiedBytes: 0, copiesUsed: 0, lossRate: 0 });
    expect(server.messagesReceived).to.equal(330);
    expect(server.packetsReceived).to.equal(client.packetsSent);
    expect(server.bytesReceived).to.equal(client.bytesSent);
    expect(client.smoothedRtt).to.be.within(20, 26);
    expect(client.minRtt).to.be.within(20, 21);
    expect(busy.packetsInFlight).to.be.greaterThan(5);
    expect(busy.bytesInFlight)
      .to.be.greaterThan(5 * 1_000)
      .and.at.most(busy.congestionWindow);
    expect(busy.pacingRate).to.be.greaterThan(0);
    expect(client).to.include({ packetsInFlight: 0, bytesInFlight: 0, bufferedBytes: 0 });
  });

  it('tell of lost packets, of what was sent again, and of what copies saved', () => {
    const { client, server } = exchange({ loss: 0.1 });
    expect(server.messagesReceived).to.equal(330);
    expect(client.packetsLost).to.be.greaterThan(20);
    expect(client.lossRate).to.be.within(0.03, 0.25);
    expect(client.retransmits).to.be.greaterThan(10);
    expect(client.retransmittedBytes).to.be.greaterThan(10 * client.retransmits);
    expect(client.copiedBytes).to.be.greaterThan(10_000);
    expect(client.copiesUsed).to.be.greaterThan(5);
    expect(client.packetsSent - server.packetsReceived).to.be.greaterThan(20);
  });

  it('tell losses that were none from real ones, where the path reorders', () => {
    const { client } = exchange({ reorder: 0.2, jitterMs: 15 });
    expect(client.spuriousLosses).to.be.greaterThan(0);
    expect(client.spuriousLosses).to.equal(client.packetsLost);
  });

  it('tell of duplicates', () => {
    const { server } = exchange({ duplicate: 0.1 });
    expect(server.duplicatePackets).to.be.greaterThan(20);
    expect(server.messagesReceived).to.equal(330);
  });
});
