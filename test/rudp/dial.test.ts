import { expect } from 'chai';
import { Bottleneck } from './bottleneck.ts';

describe('dial', () => {
  it('takes no answer to an earlier hello for a short round trip', () => {
    for (const rttMs of [20, 49.9, 50, 60, 75, 120, 400]) {
      const link = new Bottleneck(1, { rttMs, loss: 0, mbitPerSecond: 1_000, queueMs: 100 });
      const flow = link.addFlow();
      link.run(link.now + 2_000);
      expect(flow.stats().minRtt, `at ${rttMs} ms`).to.be.at.least(rttMs);
    }
  });
});
