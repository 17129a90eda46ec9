import { expect } from 'chai';
import { Probing, PROBE_BYTES } from '../../netem/probing.ts';

/** The answer to a probe, if it got one. */
const answerTo = (probing: Probing, probe: Uint8Array, now: number): Uint8Array | undefined => {
  const arrival = probing.handle(probe, now);
  return typeof arrival === 'object' ? arrival.answer : undefined;
};

describe('probing', () => {
  it('measures round trips, and what is lost there and back', () => {
    const near = new Probing();
    const far = new Probing();
    far.expect(5, 1000, 0);
    near.begin(5);
    const probes = [0, 10, 20, 30].map((now) => near.next(5, now));
    const answers = probes.slice(1).map((probe) => answerTo(far, probe, 40)!);
    near.handle(answers[0]!, 60);
    near.handle(answers[1]!, 80);
    expect(far.arrived(5)).to.equal(3);
    expect(near.end(5)).to.deep.equal({ sent: 4, received: 2, meanMs: 55, leastMs: 50 });
  });

  it('counts a doubled probe and a doubled answer once', () => {
    const near = new Probing();
    const far = new Probing();
    far.expect(5, 1000, 0);
    near.begin(5);
    const probe = near.next(5, 0);
    const answer = answerTo(far, probe, 1)!;
    answerTo(far, probe, 2);
    near.handle(answer, 3);
    near.handle(answer, 9);
    expect(far.arrived(5)).to.equal(1);
    expect(near.end(5)).to.include({ received: 1, meanMs: 3 });
  });

  it('answers nobody it was not told to expect, and not for ever', () => {
    const near = new Probing();
    const far = new Probing();
    near.begin(5);
    expect(far.handle(near.next(5, 0), 0)).to.equal('taken');
    far.expect(5, 10, 0);
    expect(answerTo(far, near.next(5, 0), 9)).to.not.equal(undefined);
    expect(far.handle(near.next(5, 0), 10)).to.equal('taken');
  });

  it('leaves all other datagrams alone', () => {
    const probing = new Probing();
    expect(probing.handle(new Uint8Array(PROBE_BYTES), 0)).to.equal('other');
    expect(probing.handle(new Uint8Array(0), 0)).to.equal('other');
    probing.begin(1);
    expect(probing.handle(probing.next(1, 0).subarray(1), 0)).to.equal('other');
  });

  it('is bounded in runs and in expectations', () => {
    const probing = new Probing();
    const many = Array.from({ length: 100 }, (_, token) => token);
    expect(many.filter((token) => probing.begin(token)).length).to.equal(64);
    expect(many.filter((token) => probing.expect(token, 10, 0)).length).to.equal(64);
    expect(probing.expect(200, 30, 20), 'the old ones are over').to.equal(true);
  });

  it('has no result of a run that got no answer', () => {
    const probing = new Probing();
    probing.begin(1);
    probing.next(1, 0);
    expect(probing.end(1)).to.deep.equal({ sent: 1, received: 0, meanMs: 0, leastMs: 0 });
  });
});
