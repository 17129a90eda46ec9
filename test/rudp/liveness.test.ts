import { expect } from 'chai';
import { CLOSE } from '../../rudp/errors.ts';
import { Liveness } from '../../rudp/liveness.ts';
import { NEVER } from '../../rudp/millis.ts';
import { SimulatedPair, underSeeds } from './simulated_pair.ts';

const PTO = 20;

describe('liveness', () => {
  it('counts from the last word of the peer', () => {
    const liveness = new Liveness(300, 0, 1_000);
    expect(liveness.idleAt(PTO)).to.equal(1_300);
    liveness.onHeard(1_200);
    expect(liveness.idleAt(PTO)).to.equal(1_500);
    expect(liveness.silentMs(1_450)).to.equal(250);
  });

  it('gives the peer three probe timeouts to answer, once it was asked', () => {
    const liveness = new Liveness(300, 0, 0);
    liveness.onSent(false, 290);
    expect(liveness.idleAt(PTO)).to.equal(300);
    liveness.onSent(true, 290);
    liveness.onSent(true, 295);
    expect(liveness.idleAt(PTO)).to.equal(350);
    liveness.onHeard(310);
    expect(liveness.idleAt(PTO)).to.equal(610);
  });

  it('asks for a ping when nothing came or went for a while', () => {
    const liveness = new Liveness(300, 75, 0);
    expect(liveness.askAt()).to.equal(75);
    liveness.onSent(false, 50);
    expect(liveness.askAt()).to.equal(125);
    liveness.onHeard(60);
    expect(liveness.askAt()).to.equal(135);
    expect(liveness.onAsk(135), 'past congestion control').to.equal(false);
    expect(liveness.askAt()).to.equal(210);
    expect(new Liveness(300, 0, 0).askAt()).to.equal(NEVER);
  });

  it('asks again and again from half of the time on, if no answer comes', () => {
    const liveness = new Liveness(320, 0, 0);
    liveness.onSent(true, 10);
    expect(liveness.askAt()).to.equal(160);
    expect(liveness.onAsk(160), 'past congestion control').to.equal(true);
    liveness.onSent(true, 161);
    expect(liveness.askAt()).to.equal(181);
    liveness.onHeard(180);
    expect(liveness.askAt()).to.equal(NEVER);
  });
});

describe('a dead peer', () => {
  const options = { idleTimeoutMs: 300 };
  const both = { client: options, server: options };

  it('is noticed within 300 ms, whenever it dies, and whether there is anything to send or not', () => {
    underSeeds([1, 2, 3, 4, 5, 6, 7, 8], (seed) => {
      const delayMs = seed < 5 ? 2 : 20;
      const pair = new SimulatedPair(seed, { delayMs }, both);
      pair.connect();
      pair.runFor(1_000 + 40 * seed);
      pair.network.setDefaults({ loss: 1 });
      const diedAt = pair.now;
      if (seed % 2 === 0) pair.send(new Uint8Array(100_000));
      pair.runUntil(() => pair.client.of('closed').length === 1, 'the end');
      expect(pair.client.of('closed')[0]).to.include({ code: CLOSE.idleTimeout });
      expect(pair.now - diedAt).to.be.at.most(300 + delayMs);
    });
  });

  it('is not taken for one while it lives, in ten idle minutes on links that lose 5 % each way', () => {
    underSeeds([1, 2, 3, 4, 5, 6, 7, 8], (seed) => {
      const pair = new SimulatedPair(seed, { delayMs: seed < 3 ? 1 : 20, loss: 0.05 }, both);
      pair.connect();
      pair.runFor(600_000);
      expect([...pair.client.of('closed'), ...pair.server.of('closed')]).to.eql([]);
    });
  });

  it('is noticed in three probe timeouts where that is longer', () => {
    const pair = new SimulatedPair(1, { delayMs: 100 }, both);
    pair.connect();
    pair.runFor(5_000);
    expect(pair.client.of('closed')).to.eql([]);
    pair.network.setDefaults({ loss: 1 });
    const diedAt = pair.now;
    pair.runUntil(() => pair.client.of('closed').length === 1, 'the end');
    expect(pair.now - diedAt).to.be.within(300, 1_000);
  });
});
