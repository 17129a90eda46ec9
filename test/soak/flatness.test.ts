import { expect } from 'chai';
import { Prng } from '../sim/prng.ts';
import { MAX_RISE_BYTES, riseOf, trendOf } from './flatness.ts';

const MIB = 2 ** 20;

/** Samples of a process that keeps `leakBytes` more each time, with the noise of a real one. */
const series = (count: number, leakBytes: number): number[] => {
  const prng = new Prng(1);
  return Array.from({ length: count }, (_, at) => {
    const warmUp = Math.min(at, 5) * 4 * MIB;
    const outlier = prng.chance(0.05) ? 20 * MIB : 0;
    return 30 * MIB + warmUp + outlier + prng.below(MIB) + at * leakBytes;
  });
};

describe('the judgement of the soak', () => {
  it('takes noise, outliers and a warm-up for flat', () => {
    for (const count of [30, 600]) {
      expect(Math.abs(riseOf(series(count, 0)))).to.be.lessThan(MAX_RISE_BYTES.retained / 4);
    }
  });

  it('finds a leak of 64 bytes in each of 4,000 messages a second within half a minute', () => {
    expect(riseOf(series(30, 64 * 4_000))).to.be.greaterThan(MAX_RISE_BYTES.retained);
  });

  it('finds one of 16 bytes in each of 1,000 messages a second within ten minutes', () => {
    expect(riseOf(series(600, 16 * 1_000))).to.be.greaterThan(MAX_RISE_BYTES.retained);
  });

  it('has a trend of 0 where there is nothing to see', () => {
    expect(trendOf([])).to.equal(0);
    expect(trendOf([5])).to.equal(0);
    expect(riseOf([])).to.equal(0);
    expect(trendOf([1, 2, 3])).to.equal(1);
  });
});
