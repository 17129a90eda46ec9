import { expect } from 'chai';
import { MAX_MEASURED_HOSTS } from '../../rudp/limits.ts';
import { LossMeasure, LossMeasures } from '../../rudp/loss_measure.ts';

describe('loss measure', () => {
  it('comes to the part of packets that is lost', () => {
    const measure = new LossMeasure();
    for (let packet = 0; packet < 3000; packet += 1) measure.onSettled(packet % 20 === 0);
    expect(measure.rate).to.be.within(0.045, 0.055);
  });

  it('forgets a single loss within a few hundred packets', () => {
    const measure = new LossMeasure();
    measure.onSettled(true);
    expect(measure.rate).to.equal(1 / 9);
    for (let packet = 0; packet < 600; packet += 1) measure.onSettled(false);
    expect(measure.rate).to.be.lessThan(0.002);
  });

  it('is shared by the connections to one host', () => {
    const measures = new LossMeasures();
    const measure = measures.of('10.0.0.1:4000');
    expect(measures.of('10.0.0.1:5000')).to.equal(measure);
    expect(measures.of('10.0.0.2:4000')).not.to.equal(measure);
  });

  it('is kept for so many hosts and begins anew beyond', () => {
    const measures = new LossMeasures();
    const first = measures.of('host0:1');
    for (let host = 1; host < MAX_MEASURED_HOSTS; host += 1) measures.of(`host${host}:1`);
    expect(measures.of('host0:1')).to.equal(first);
    measures.of('another:1');
    expect(measures.of('host0:1')).not.to.equal(first);
  });
});
