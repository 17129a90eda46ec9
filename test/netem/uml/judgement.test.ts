import { expect } from 'chai';
import { faultOf, NO_FAULT, type Loss } from '../../../netem/fault.ts';
import { Impairment } from '../../../netem/impairment.ts';
import { yieldedLoss } from '../../../netem/loss_yield.ts';
import { profileNamed, readProfiles } from '../../../netem/profile_file.ts';
import { seededRandom } from '../../../netem/seeded_random.ts';
import { clustering, errandFor, judgeLoss, judgeRtt, tripsOf } from './judgement.ts';

const DIRECTIONS = 6;

/** How many datagrams of each batch are lost. */
const batches = (loss: Loss, count: number, size: number): number[] => {
  const impairment = new Impairment({ ...NO_FAULT, loss }, seededRandom(1));
  const isLost = (): boolean => impairment.decide(new Uint8Array(1), 0).length === 0;
  return Array.from(
    { length: count },
    () => Array.from({ length: size }, isLost).filter(Boolean).length,
  );
};

describe('the judgement of what is measured under User-Mode Linux', () => {
  const lossy = readProfiles().filter(({ loss }) => yieldedLoss(loss) > 0);

  it('expects 50 losses of every profile that loses', () => {
    for (const profile of lossy) {
      const sent = errandFor(profile, DIRECTIONS).datagrams * DIRECTIONS;
      expect(sent * yieldedLoss(profile.loss), profile.name).to.be.at.least(50);
    }
  });

  it('finds the right loss met, and neither none, nor of independent ones a third or twice as much', () => {
    for (const { name, loss, ...rest } of lossy) {
      const sent = errandFor({ name, loss, ...rest }, DIRECTIONS).datagrams * DIRECTIONS;
      const expected = Math.round(sent * yieldedLoss(loss));
      expect(judgeLoss(loss, sent, expected), name).to.include({ met: true, likely: true });
      expect(judgeLoss(loss, sent, 0), name).to.include({ met: false, likely: false });
      if (clustering(loss) > 1) continue;
      expect(judgeLoss(loss, sent, expected / 3), name).to.include({ met: false });
      expect(judgeLoss(loss, sent, expected * 2), name).to.include({ met: false });
    }
  });

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

  it('sends slower than the slowest direction of a profile', () => {
    // 50 bytes on the wire: 1.6 ms at 250 kbit/s.
    expect(errandFor(profileNamed('geo-satellite'), DIRECTIONS).everyUs).to.be.greaterThan(1600);
    expect(errandFor(profileNamed('dc'), DIRECTIONS).everyUs).to.equal(0);
  });

  it('takes 10 % of a round trip, or 1 ms, and the noise, and no more', () => {
    const profile = profileNamed('transcontinental');
    const faults = [faultOf(profile, 'up'), faultOf(profile, 'down')];
    const trips = (us: number): ReturnType<typeof tripsOf> =>
      tripsOf(Array.from({ length: 180 }, (_, index) => us + (index % 10) * 100));
    const bare = trips(1000);
    const { tolerance, met, added } = judgeRtt(faults, trips(151_000), bare);
    expect(added).to.be.closeTo(150, 0.001);
    expect(met).to.equal(true);
    expect(tolerance).to.be.within(15.5, 16.5);
    expect(judgeRtt(faults, trips(168_000), bare).met).to.equal(false);
    expect(judgeRtt(faults, bare, bare).met).to.equal(false);
  });
});
