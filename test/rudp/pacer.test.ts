import { expect } from 'chai';
import { Pacer } from '../../rudp/pacer.ts';

const MDS = 1000;

describe('pacer', () => {
  it('lets a burst of ten packets go, then spreads the rest at its rate', () => {
    const pacer = new Pacer();
    const release = (now: number) => pacer.releaseTime(now, MDS, MDS / 4, MDS);
    for (let packet = 0; packet < 10; packet += 1) {
      expect(release(0)).to.equal(0);
      pacer.onSent(MDS);
    }
    expect(release(0)).to.equal(4);
    expect(release(2)).to.equal(4);
    expect(release(4)).to.equal(4);
  });

  it('lets two milliseconds’ worth go at once, since timers fire no more often', () => {
    const pacer = new Pacer();
    const rate = 125 * MDS;
    let sent = 0;
    while (pacer.releaseTime(0, MDS, rate, MDS) <= 0) {
      pacer.onSent(MDS);
      sent += 1;
    }
    expect(sent).to.equal(2 * 125);
  });

  it('never answers with a time at which it would hold the packet back again', () => {
    const pacer = new Pacer();
    let now = 1e9;
    for (let packet = 0; packet < 1000; packet += 1) {
      let waits = 0;
      for (
        let at = pacer.releaseTime(now, MDS, 1_986.1, MDS);
        at > now;
        at = pacer.releaseTime(now, MDS, 1_986.1, MDS)
      ) {
        now = at;
        waits += 1;
      }
      expect(waits).to.be.at.most(3);
      pacer.onSent(MDS);
    }
  });
});
