import { expect } from 'chai';
import { Bottleneck } from './bottleneck.ts';
import { SERVER, SimulatedPair } from './simulated_pair.ts';

/** The times at which a dial that nobody answers says hello. */
const helloTimes = (durationMs: number): number[] => {
  const pair = new SimulatedPair(1);
  const times: number[] = [];
  pair.network.setDefaults({ loss: 1 });
  pair.server.endpoint.handleDatagram = () => undefined;
  const send = pair.network.send.bind(pair.network);
  pair.network.send = (from, to, bytes, now) => {
    times.push(now);
    send(from, to, bytes, now);
  };
  pair.client.endpoint.connect(SERVER, 0);
  pair.runFor(durationMs);
  return times;
};

describe('dial', () => {
  it('takes no answer to an earlier hello for a short round trip', () => {
    for (const rttMs of [20, 49.9, 50, 60, 75, 120, 400]) {
      const link = new Bottleneck(1, { rttMs, loss: 0, mbitPerSecond: 1_000, queueMs: 100 });
      const flow = link.addFlow();
      link.run(link.now + 2_000);
      expect(flow.stats().minRtt, `at ${rttMs} ms`).to.be.at.least(rttMs);
    }
  });

  it('says hello often at first, and less and less often to somebody who does not answer', () => {
    const quick = [0, 50, 100, 150, 200, 250, 300, 350];
    expect(helloTimes(2_000)).to.deep.equal([...quick, 400, 500, 700, 1_100, 1_500, 1_900]);
  });

  it('takes a handshake with one slow round trip for a sign of loss, and an even one not', () => {
    const lossRate = (afterMs: number): number => {
      const pair = new SimulatedPair(1, { delayMs: 50 });
      const handle = pair.client.endpoint.connect(SERVER, 0);
      pair.runFor(99);
      pair.network.setDefaults({ loss: 1 });
      pair.runFor(afterMs);
      pair.network.setDefaults({ loss: 0 });
      pair.runUntil(() => pair.client.of('connected').length > 0, 'the handshake');
      return pair.client.endpoint.stats(handle).lossRate;
    };
    expect(lossRate(0)).to.equal(0);
    expect(lossRate(150)).to.be.greaterThan(0.1);
  });
});
