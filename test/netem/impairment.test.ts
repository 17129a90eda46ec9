import { expect } from 'chai';
import { NO_FAULT, packetLimit, type Fault } from '../../netem/fault.ts';
import { HEADER_BYTES, Impairment } from '../../netem/impairment.ts';
import { seededRandom } from '../../netem/seeded_random.ts';

const impairment = (fault: Partial<Fault>, seed = 1): Impairment =>
  new Impairment({ ...NO_FAULT, ...fault }, seededRandom(seed));

/** When `count` datagrams that are sent `everyMs` arrive, in the order of sending. */
const arrivals = (of: Impairment, count: number, everyMs = 0, lengthBytes = 100): number[] =>
  Array.from({ length: count }, (_, index) =>
    of.decide(new Uint8Array(lengthBytes), index * everyMs).map(({ at }) => at),
  ).flat();

describe('the impairment of one direction', () => {
  it('delays all by the delay, and changes nothing else', () => {
    const bytes = Uint8Array.from([1, 2, 3]);
    const [delivery, ...more] = impairment({ delayMs: 7 }).decide(bytes, 100);
    expect(more).to.deep.equal([]);
    expect(delivery?.at).to.equal(107);
    bytes[0] = 9;
    expect([...delivery!.bytes], 'a copy').to.deep.equal([1, 2, 3]);
  });

  it('varies delays uniformly within the jitter', () => {
    const delays = arrivals(impairment({ delayMs: 10, jitterMs: 4 }), 5000);
    expect(Math.min(...delays)).to.be.within(6, 6.1);
    expect(Math.max(...delays)).to.be.within(13.9, 14);
    expect(delays.filter((delay) => delay < 8).length / 5000).to.be.within(0.23, 0.27);
  });

  it('varies delays normally, with the jitter as standard deviation', () => {
    const of = impairment({ delayMs: 100, jitterMs: 10, distribution: 'normal' });
    const delays = arrivals(of, 5000);
    const mean = delays.reduce((sum, each) => sum + each, 0) / 5000;
    const variance = delays.reduce((sum, each) => sum + (each - mean) ** 2, 0) / 5000;
    expect(mean).to.be.within(99.6, 100.4);
    expect(Math.sqrt(variance)).to.be.within(9.6, 10.4);
    expect(delays.filter((each) => Math.abs(each - 100) < 10).length / 5000).to.be.within(
      0.66,
      0.7,
    );
  });

  it('lets the delay of a datagram follow that of the one before it, by the correlation', () => {
    const change = (correlation: number): number => {
      const delays = arrivals(impairment({ delayMs: 10, jitterMs: 5, correlation }), 2000);
      return delays.slice(1).reduce((sum, each, at) => sum + Math.abs(each - delays[at]!), 0);
    };
    expect(change(0.9)).to.be.lessThan(change(0) / 5);
  });

  it('never delivers before the sending', () => {
    const of = impairment({ delayMs: 1, jitterMs: 10, distribution: 'normal' });
    expect(Math.min(...arrivals(of, 1000))).to.equal(0);
  });

  it('loses in bursts of 1/r on average, and p/(p+r) of all', () => {
    const loss = {
      model: 'gilbert-elliott',
      toBad: 0.01,
      toGood: 0.25,
      lossInGood: 0,
      lossInBad: 1,
    };
    const of = impairment({ loss: loss as Fault['loss'] });
    const lost = Array.from({ length: 50_000 }, () => of.decide(new Uint8Array(1), 0).length === 0);
    const losses = lost.filter(Boolean).length;
    const bursts = lost.filter((each, index) => each && lost[index - 1] !== true).length;
    expect(losses / 50_000).to.be.within(0.033, 0.044);
    expect(losses / bursts).to.be.within(3.6, 4.4);
  });

  it('meets each datagram in the state that the one before it has left, as the kernel does', () => {
    const turns = { model: 'gilbert-elliott', toBad: 1, toGood: 1, lossInGood: 0, lossInBad: 1 };
    const of = impairment({ loss: turns as Fault['loss'] });
    const lost = [1, 2, 3, 4].map(() => of.decide(new Uint8Array(1), 0).length === 0);
    expect(lost).to.deep.equal([false, true, false, true]);
  });

  it('doubles, and a datagram that is doubled and lost comes once', () => {
    const cut = { model: 'random', probability: 1, correlation: 0 } as const;
    expect(arrivals(impairment({ duplicate: 1 }), 3)).to.have.length(6);
    expect(arrivals(impairment({ duplicate: 1, loss: cut }), 3)).to.have.length(3);
  });

  it('flips one bit of what it damages', () => {
    const of = impairment({ corrupt: 1 });
    for (let count = 0; count < 200; count += 1) {
      const [delivery] = of.decide(new Uint8Array(4), 0);
      const bits = [...delivery!.bytes].map((byte) => byte.toString(2).replaceAll('0', '').length);
      expect(bits.reduce((sum, each) => sum + each, 0)).to.equal(1);
    }
    expect(of.decide(new Uint8Array(0), 0)[0]?.bytes.length, 'nothing to damage').to.equal(0);
  });

  it('lets what it reorders overtake all that is delayed', () => {
    const of = impairment({ delayMs: 50, reorder: 0.2 });
    const delays = arrivals(of, 1000);
    expect(delays.filter((each) => each === 0)).to.have.length(of.counters.reordered);
    expect(of.counters.reordered).to.be.within(160, 240);
  });

  it('sends no faster than its rate, headers included, and keeps the order', () => {
    const of = impairment({ rate: 1e6, delayMs: 10, jitterMs: 8 });
    const times = arrivals(of, 40, 0, 1000);
    const eachMs = ((1000 + HEADER_BYTES) * 8) / 1000;
    expect(times).to.deep.equal([...times].sort((a, b) => a - b));
    expect(times.at(-1)! - times[0]!).to.be.at.least(39 * eachMs - 1e-6);
  });

  it('drops what comes while as many as its limit are under way, and takes more later', () => {
    const fault = { ...NO_FAULT, rate: 1e5, delayMs: 10 };
    const of = new Impairment(fault, seededRandom(1));
    const limit = packetLimit(fault);
    expect(arrivals(of, limit + 5)).to.have.length(limit);
    expect(of.counters.overflowed).to.equal(5);
    expect(of.decide(new Uint8Array(1), 1e6)).to.have.length(1);
  });

  it('has a limit that holds what a fast link with a long delay has under way', () => {
    expect(packetLimit({ ...NO_FAULT, delayMs: 300 })).to.be.greaterThan(30_000);
    const slow = packetLimit({ ...NO_FAULT, delayMs: 300, rate: 250_000 });
    expect(slow, 'what 250 kbit/s carry in 550 ms').to.be.within(64, 300);
  });

  it('does the same for the same seed', () => {
    const fault = { delayMs: 9, jitterMs: 3, duplicate: 0.1, corrupt: 0.1 } as const;
    const run = (seed: number): string => JSON.stringify(arrivals(impairment(fault, seed), 100));
    expect(run(3)).to.equal(run(3));
    expect(run(3)).not.to.equal(run(4));
  });
});
