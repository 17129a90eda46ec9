/** The rate-based controller on simulated links: what it gets out of them, and what it leaves. */

import { expect } from 'chai';
import type { CongestionName } from '../../rudp/congestion.ts';
import { Bottleneck, type BottleneckProfile } from './bottleneck.ts';

const LINK: BottleneckProfile = { rttMs: 20, loss: 0, mbitPerSecond: 20, queueMs: 20 };

/** The part of what the link could deliver that one bulk flow gets, after a second of start. */
const utilisation = (profile: BottleneckProfile, congestion: CongestionName): number => {
  const link = new Bottleneck(1, profile);
  const flow = link.addFlow({ congestion });
  link.bulk(flow, 16 * 1024);
  const start = link.now + 1_500;
  link.run(start);
  const before = flow.deliveredBytes;
  link.run(start + 4_000);
  const bytesPerMs = (profile.mbitPerSecond * 125 * (1 - profile.loss) * 1_150) / 1_242;
  return (flow.deliveredBytes - before) / 4_000 / bytesPerMs;
};

describe('BBR', () => {
  it('fills a clean link without making it drop', () => {
    const link = new Bottleneck(1, LINK);
    const flow = link.addFlow({ congestion: 'bbr' });
    link.bulk(flow, 16 * 1024);
    link.run(1_500);
    const dropped = link.there.dropped;
    link.run(5_000);
    expect(link.there.dropped).to.equal(dropped);
    expect(utilisation(LINK, 'bbr')).to.be.greaterThan(0.93);
  });

  it('fills a link that loses 1, 5 or 20 % by chance, where CUBIC gets next to nothing', () => {
    expect(utilisation({ ...LINK, loss: 0.01 }, 'bbr')).to.be.greaterThan(0.93);
    expect(utilisation({ ...LINK, loss: 0.05, rttMs: 50 }, 'bbr')).to.be.greaterThan(0.9);
    const awful = { ...LINK, loss: 0.2, rttMs: 100 };
    expect(utilisation(awful, 'bbr')).to.be.greaterThan(0.85);
    expect(utilisation(awful, 'cubic')).to.be.lessThan(0.05);
  });

  it('gives way on a bottleneck whose queue is shorter than its round trip', () => {
    const link = new Bottleneck(1, { ...LINK, queueMs: 4 });
    const flow = link.addFlow({ congestion: 'bbr' });
    link.bulk(flow, 16 * 1024);
    link.run(1_500);
    const { packetsLost, packetsSent } = flow.stats();
    link.run(5_000);
    const now = flow.stats();
    const lost = (now.packetsLost - packetsLost) / (now.packetsSent - packetsSent);
    expect(lost).to.be.lessThan(0.03);
  });

  it('shares a bottleneck with its like once both have seen its own round trip', () => {
    const link = new Bottleneck(1, LINK);
    // With one size of datagrams, both begin alike.
    const options = { congestion: 'bbr', interfaceDatagramBytes: () => 1_200 } as const;
    const flows = [link.addFlow(options), link.addFlow(options)];
    for (const flow of flows) link.bulk(flow, 16 * 1024);
    link.run(6_000);
    const [first, second] = flows.map(({ deliveredBytes }) => deliveredBytes);
    link.run(13_000);
    const a = flows[0]!.deliveredBytes - first!;
    const b = flows[1]!.deliveredBytes - second!;
    expect(a / (a + b)).to.be.within(0.4, 0.6);
  });

  it('finds a rate again that has fallen or risen', () => {
    const link = new Bottleneck(1, LINK);
    const flow = link.addFlow({ congestion: 'bbr' });
    link.bulk(flow, 16 * 1024);
    const rateIn = (ms: number): number => {
      const before = flow.deliveredBytes;
      link.run(link.now + ms);
      return (flow.deliveredBytes - before) / ms;
    };
    link.run(2_000);
    link.there.mbitPerSecond = 5;
    link.run(5_000);
    expect(rateIn(2_000)).to.be.within(0.85 * 575, 600);
    link.there.mbitPerSecond = 20;
    link.run(link.now + 3_000);
    expect(rateIn(2_000)).to.be.greaterThan(0.85 * 2_300);
  });
});
