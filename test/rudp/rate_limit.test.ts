import { expect } from 'chai';
import { RateLimit } from '../../rudp/rate_limit.ts';

describe('rate limit', () => {
  it('lets so many through in a burst, and then as many a second as it is for', () => {
    const limit = new RateLimit(100);
    const taken = (now: number): number => {
      let count = 0;
      while (limit.take(now)) count += 1;
      return count;
    };
    expect(taken(5_000)).to.equal(100);
    expect(taken(5_009)).to.equal(0);
    expect(taken(5_010)).to.equal(1);
    expect(taken(5_510)).to.equal(50);
    expect(taken(60_000)).to.equal(100);
  });
});
