import { expect } from 'chai';
import { median, percentile } from '../../netem/transports/statistics.ts';

describe('the statistics of the benchmarks', () => {
  it('take the value that the wanted share does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.5)).to.equal(50);
    expect(percentile(hundred, 0.99)).to.equal(99);
    expect(percentile(hundred, 1)).to.equal(100);
    expect(percentile([7], 0.01)).to.equal(7);
    expect(percentile([3, 1, 2], 0.5)).to.equal(2);
  });

  it('sort numbers as numbers', () => {
    expect(percentile([9, 10, 100], 1)).to.equal(100);
    expect(median([100, 9, 10])).to.equal(10);
  });

  it('take the mean of the middle two, and have no answer for nothing', () => {
    expect(median([4, 1, 3, 2])).to.equal(2.5);
    expect(median([])).to.be.NaN;
    expect(percentile([], 0.5)).to.be.NaN;
  });
});
