import { expect } from 'chai';
import { RandomLoss } from '../../rudp/random_loss.ts';

describe('random loss', () => {
  it('takes what every round trip loses for chance, and no congestion in its variation', () => {
    const loss = new RandomLoss();
    for (const lost of [22, 18, 20, 25, 19]) {
      expect(loss.onRound(100, lost, false)).to.equal(false);
    }
    expect(loss.rate).to.equal(0.19);
  });

  it('sees congestion in a loss far beyond that of chance', () => {
    const loss = new RandomLoss();
    loss.onRound(1000, 50, false);
    expect(loss.onRound(1000, 60, false)).to.equal(false);
    expect(loss.onRound(1000, 200, false)).to.equal(true);
  });

  it('does not learn the loss of a full queue', () => {
    const loss = new RandomLoss();
    loss.onRound(1000, 0, false);
    for (let round = 0; round < 50; round += 1) {
      expect(loss.onRound(1000, 100, true)).to.equal(true);
    }
    expect(loss.rate).to.equal(0);
  });

  it('holds a third of the last twelve round trips for free of congestion', () => {
    const loss = new RandomLoss();
    for (let round = 0; round < 4; round += 1) loss.onRound(100, 1, false);
    for (let round = 0; round < 8; round += 1) loss.onRound(100, 10, false);
    expect(loss.rate).to.equal(0.01);
    loss.onRound(100, 10, false);
    expect(loss.rate).to.equal(0.1);
  });

  it('makes up for no more than 35 %', () => {
    const loss = new RandomLoss();
    loss.onRound(100, 35, false);
    expect(loss.rate).to.equal(0.35);
    const worse = new RandomLoss();
    worse.onRound(100, 36, false);
    expect(worse.rate).to.equal(0.35);
  });

  it('learns nothing from fewer than eight packets', () => {
    const loss = new RandomLoss();
    loss.onRound(7, 7, false);
    expect(loss.rate).to.equal(0);
    loss.onRound(8, 1, false);
    expect(loss.rate).to.equal(1 / 8);
  });
});
