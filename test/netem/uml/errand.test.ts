import { expect } from 'chai';
import { yieldedLoss } from '../../../netem/loss_yield.ts';
import { profileNamed, readProfiles } from '../../../netem/profile_file.ts';
import { clustering, judgeLoss } from '../judgement.ts';
import { errandFor } from './errand.ts';

const DIRECTIONS = 6;

describe('what is to be measured under User-Mode Linux', () => {
  const lossy = readProfiles().filter(({ loss }) => yieldedLoss(loss) > 0);

  it('expects 50 losses of every profile that loses', () => {
    for (const profile of lossy) {
      const sent = errandFor(profile, DIRECTIONS).datagrams * DIRECTIONS;
      expect(sent * yieldedLoss(profile.loss), profile.name).to.be.at.least(50);
    }
  });

  it('tells the right loss from none, and of independent ones from a third and twice as much', () => {
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

  it('sends slower than the slowest direction of a profile', () => {
    // 50 bytes on the wire: 1.6 ms at 250 kbit/s.
    expect(errandFor(profileNamed('geo-satellite'), DIRECTIONS).everyUs).to.be.greaterThan(1600);
    expect(errandFor(profileNamed('dc'), DIRECTIONS).everyUs).to.equal(0);
  });
});
