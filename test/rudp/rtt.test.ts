import { expect } from 'chai';
import { RttEstimator } from '../../rudp/rtt.ts';

describe('rtt estimator', () => {
  it('takes the first sample as it is (RFC 9002 §5.2, §5.3)', () => {
    const rtt = new RttEstimator(50);
    rtt.update(8, 3, 100);
    expect(rtt).to.include({ latestRtt: 8, smoothedRtt: 8, rttvar: 4, minRtt: 8 });
    expect(rtt).to.include({ hasSample: true, firstSampleAt: 100 });
  });

  it('smooths by 1/8 and 1/4 and takes the peer at its word for the ack delay', () => {
    const rtt = new RttEstimator(50);
    rtt.update(8, 0, 0);
    rtt.update(20, 4, 10);
    expect(rtt.minRtt).to.equal(8);
    expect(rtt.rttvar).to.equal(0.75 * 4 + 0.25 * 8);
    expect(rtt.smoothedRtt).to.equal(0.875 * 8 + 0.125 * 16);
  });

  it('does not let an ack delay bring a sample below the least one seen', () => {
    const rtt = new RttEstimator(50);
    rtt.update(8, 0, 0);
    rtt.update(9, 5, 10);
    expect(rtt.smoothedRtt).to.equal(0.875 * 8 + 0.125 * 9);
    rtt.update(13, 5, 10);
    expect(rtt.smoothedRtt).to.equal(0.875 * (0.875 * 8 + 0.125 * 9) + 0.125 * 8);
  });

  it('waits one round trip and four deviations for a probe, at least a millisecond of them', () => {
    const rtt = new RttEstimator(50);
    expect(rtt.ptoMs(5)).to.equal(50 + 100 + 5);
    rtt.update(0.2, 0, 0);
    for (let sample = 0; sample < 100; sample += 1) rtt.update(0.2, 0, 0);
    expect(rtt.ptoMs(5)).to.be.closeTo(0.2 + 1 + 5, 1e-9);
  });

  it('waits 9/8 of a round trip for a reordered packet, at least a millisecond', () => {
    const rtt = new RttEstimator(50);
    rtt.update(16, 0, 0);
    expect(rtt.lossDelayMs(9 / 8)).to.equal(18);
    rtt.update(80, 0, 0);
    expect(rtt.lossDelayMs(9 / 8)).to.equal(90);
    const quick = new RttEstimator(50);
    quick.update(0.1, 0, 0);
    expect(quick.lossDelayMs(9 / 8)).to.equal(1);
  });
});
