import { expect } from 'chai';
import { faultOf, NO_FAULT, type Loss } from '../../netem/fault.ts';
import { Impairment } from '../../netem/impairment.ts';
import { yieldedLoss } from '../../netem/loss_yield.ts';
import { profileNamed, readProfiles } from '../../netem/profile_file.ts';
import { seededRandom } from '../../netem/seeded_random.ts';
import { chanceOf, clustering, judgeLoss, judgeRtt, noiseOf, tripsOf } from './judgement.ts';

/** How many datagrams of each batch are lost. */
const batches = (loss: Loss, count: number, size: number): number[] => {
  const impairment = new Impairment({ ...NO_FAULT, loss }, seededRandom(1));
  const isLost = (): boolean => impairment.decide(new Uint8Array(1), 0).length === 0;
  return Array.from(
    { length: count },
    () => Array.from({ length: size }, isLost).filter(Boolean).length,
  );
};

describe('the judgement of what an engine loses and delays', () => {
  const lossy = readProfiles().filter(({ loss }) => yieldedLoss(loss) > 0);

  it('finds a single loss too many where nothing may be lost', () => {
    expect(judgeLoss({ model: 'none' }, 1000, 0).met).to.equal(true);
    expect(judgeLoss({ model: 'none' }, 1000, 1).met).to.equal(false);
  });

  it('knows how much more the losses of bursts vary', () => {
    for (const name of ['wifi-bad', 'dc-lossy', 'jepsen']) {
      const { loss } = profileNamed(name);
      const lost = batches(loss, 150, 1000);
      const mean = lost.reduce((sum, each) => sum + each, 0) / lost.length;
      const squares = lost.reduce((sum, each) => sum + (each - mean) ** 2, 0);
      const variance = squares / (lost.length - 1);
      expect(variance / mean / clustering(loss), name).to.be.within(0.75, 1.25);
    }
  });

  it('tells the right loss from none, half and twice as much, by 1,000 that are expected', () => {
    for (const { name, loss } of lossy) {
      const sent = Math.ceil(1000 / yieldedLoss(loss));
      expect(judgeLoss(loss, sent, 1000), name).to.include({ met: true, likely: true });
      for (const wrong of [0, 500, 2000]) {
        const verdict = judgeLoss(loss, sent, wrong);
        expect(verdict, `${wrong} of ${name}`).to.include({ met: false, likely: false });
      }
    }
  });

  it('calls a loss unlikely before it calls it wrong', () => {
    const loss: Loss = { model: 'random', probability: 0.01, correlation: 0 };
    expect(judgeLoss(loss, 100_000, 1080)).to.include({ met: true, likely: false });
    expect(judgeLoss(loss, 100_000, 1150)).to.include({ met: false, likely: false });
  });

  describe('of round trips', () => {
    const faultsOf = (name: string) => {
      const profile = profileNamed(name);
      return [faultOf(profile, 'up'), faultOf(profile, 'down')];
    };
    const trips = (ms: number) =>
      tripsOf(Array.from({ length: 180 }, (_, index) => ms + (index % 10) / 10));

    it('takes 10 %, or 1 ms, and the noise, and no more', () => {
      const bare = trips(1);
      const far = faultsOf('transcontinental');
      const { tolerance, met, added } = judgeRtt(far, trips(151), bare, 0.5);
      expect(added).to.be.closeTo(150, 0.001);
      expect(met).to.equal(true);
      expect(tolerance).to.be.closeTo(15.5, 0.001);
      expect(judgeRtt(far, trips(167), bare, 0.5).met).to.equal(false);
      expect(judgeRtt(far, bare, bare, 0.5).met).to.equal(false);
      expect(judgeRtt(faultsOf('dc'), trips(2.9), bare, 0).met).to.equal(false);
      expect(judgeRtt(faultsOf('dc'), trips(2.4), bare, 0).met).to.equal(true);
    });

    it('takes for noise how far apart quartiles are, and the chance in a median, which more trips lessen', () => {
      const bare = trips(1);
      expect(noiseOf(bare)).to.be.closeTo(0.5 + chanceOf(bare), 0.001);
      expect(chanceOf(bare)).to.be.within(0.1, 0.2);
      expect(chanceOf({ ...bare, count: 4 * bare.count })).to.be.closeTo(chanceOf(bare) / 2, 1e-9);
      expect(noiseOf(tripsOf([2, 2, 2, 2]))).to.equal(0);
    });
  });
});
