import { expect } from 'chai';
import { WindowedMax } from '../../rudp/windowed_max.ts';

describe('windowed maximum', () => {
  it('is the highest value of as many rounds as it was made for, and of no more', () => {
    const max = new WindowedMax(3);
    max.take(9);
    max.take(5);
    for (const value of [4, 6]) {
      max.nextRound();
      max.take(value);
      expect(max.value).to.equal(9);
    }
    max.nextRound();
    expect(max.value).to.equal(6);
  });

  it('is 0 when the last of its values has aged', () => {
    const max = new WindowedMax(2);
    max.take(7);
    max.nextRound();
    max.nextRound();
    expect(max.value).to.equal(0);
  });
});
