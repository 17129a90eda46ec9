import { expect } from 'chai';
import { MAX_LOST_REMEMBERED, MAX_PACKET_THRESHOLD } from '../../rudp/limits.ts';
import { Reordering } from '../../rudp/reordering.ts';
import { Bottleneck } from './bottleneck.ts';
import { SimulatedPair } from './simulated_pair.ts';

describe('reordering', () => {
  it('widens both thresholds by what has arrived after all, within bounds', () => {
    const reordering = new Reordering();
    expect(reordering).to.include({ packetThreshold: 3, timeFactor: 9 / 8 });
    reordering.onLost(10, 20);
    reordering.onAcked(9, 12, 17);
    expect(reordering).to.include({ packetThreshold: 14, timeFactor: 10 / 8, spuriousLosses: 1 });
    for (let number = 20; number < 40; number += 1) {
      reordering.onLost(number, 50);
      reordering.onAcked(number, number + 1, number + MAX_PACKET_THRESHOLD);
    }
    expect(reordering).to.include({ packetThreshold: MAX_PACKET_THRESHOLD, timeFactor: 2 });
  });

  it('goes back to the thresholds of RFC 9002 after sixteen real losses', () => {
    const reordering = new Reordering();
    reordering.onLost(1, 9);
    reordering.onAcked(1, 2, 8);
    for (let number = 10; number < 25; number += 1) reordering.onLost(number, 50);
    expect(reordering.packetThreshold).to.equal(14);
    reordering.onLost(25, 50);
    expect(reordering).to.include({ packetThreshold: 3, timeFactor: 9 / 8 });
  });

  it('counts each packet once, and knows no more than it remembers', () => {
    const reordering = new Reordering();
    for (let number = 0; number <= MAX_LOST_REMEMBERED; number += 1) reordering.onLost(number, 1e4);
    reordering.onAcked(0, 2, 5);
    expect(reordering.spuriousLosses).to.equal(1);
    reordering.onAcked(0, 3, 5);
    expect(reordering.spuriousLosses).to.equal(2);
  });

  it('undoes a congestion event once all its losses have arrived, not before', () => {
    const reordering = new Reordering();
    reordering.onLost(5, 20);
    reordering.onLost(7, 25);
    reordering.onAcked(5, 6, 25);
    expect(reordering.takeUndo()).to.equal(false);
    reordering.onAcked(7, 8, 25);
    expect(reordering.takeUndo()).to.equal(true);
    expect(reordering.takeUndo()).to.equal(false);
  });

  it('does not undo for the packets of an earlier event', () => {
    const reordering = new Reordering();
    reordering.onLost(5, 20);
    reordering.onLost(30, 40);
    reordering.onAcked(5, 6, 39);
    expect(reordering.takeUndo()).to.equal(false);
  });

  it('takes a link that reorders for lossy only at first', () => {
    const pair = new SimulatedPair(1, { delayMs: 10, reorder: 0.05, reorderMs: 4 });
    pair.connect();
    const send = (count: number): void => {
      const target = pair.server.of('message').length + count;
      for (let message = 0; message < count; message += 1) pair.send(new Uint8Array(50_000));
      pair.runUntil(() => pair.server.of('message').length === target, 'all messages');
    };
    const lost = (): number => pair.client.endpoint.stats(pair.client.connection).packetsLost;
    send(10);
    expect(pair.client.endpoint.stats(pair.client.connection).spuriousLosses).to.be.greaterThan(0);
    const before = lost();
    // Of some 1,700 packets, one in twenty comes late.
    send(40);
    expect(lost() - before).to.be.lessThan(17);
  });

  it('leaves CUBIC its window where nothing but order is lost', () => {
    const link = new Bottleneck(1, { rttMs: 20, loss: 0, mbitPerSecond: 50, queueMs: 100 });
    link.there.swap = 0.02;
    const flow = link.addFlow({ congestion: 'cubic' });
    link.bulk(flow, 16 * 1024);
    link.run(3_000);
    expect(flow.stats().spuriousLosses).to.be.greaterThan(0);
    expect(flow.deliveredBytes / link.now).to.be.greaterThan(0.8 * 5_780);
  });
});
