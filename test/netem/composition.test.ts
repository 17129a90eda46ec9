import { expect } from 'chai';
import { composeAll, compositionNote } from '../../netem/composition.ts';
import { NO_FAULT, type Fault, type Loss } from '../../netem/fault.ts';
import { Impairment } from '../../netem/impairment.ts';
import { yieldedLoss } from '../../netem/loss_yield.ts';
import { seededRandom } from '../../netem/seeded_random.ts';

const fault = (change: Partial<Fault>): Fault => ({ ...NO_FAULT, ...change });
const random = (probability: number, correlation = 0): Loss => ({
  model: 'random',
  probability,
  correlation,
});
const gilbertElliott = (toBad: number, toGood: number): Loss => ({
  model: 'gilbert-elliott',
  toBad,
  toGood,
  lossInGood: 0,
  lossInBad: 1,
});
/** What two independent losses in a row lose. */
const either = (a: Loss, b: Loss): number => 1 - (1 - yieldedLoss(a)) * (1 - yieldedLoss(b));

describe('the composition of faults', () => {
  it('is nothing of nothing, and one fault of one', () => {
    const one = fault({ delayMs: 5, loss: random(0.1), rate: 1e6 });
    expect(composeAll([])).to.deep.equal(NO_FAULT);
    expect(composeAll([one])).to.deep.equal(one);
  });

  it('adds delays and variances, multiplies what comes through, takes the lesser rate', () => {
    const a = fault({ delayMs: 5, jitterMs: 3, duplicate: 0.5, corrupt: 0.5, rate: 2e6 });
    const b = fault({ delayMs: 7, jitterMs: 4, duplicate: 0.5, reorder: 0.5, rate: 1e6 });
    expect(composeAll([a, b])).to.deep.equal(
      fault({
        delayMs: 12,
        jitterMs: 5,
        distribution: 'normal',
        duplicate: 0.75,
        corrupt: 0.5,
        reorder: 0.5,
        rate: 1e6,
      }),
    );
  });

  it('never gives a fault up for another: each of three is still there', () => {
    const all = composeAll([
      fault({ delayMs: 20 }),
      fault({ loss: gilbertElliott(0.01, 0.25) }),
      fault({ loss: random(0.5) }),
    ]);
    expect(all.delayMs).to.equal(20);
    expect(yieldedLoss(all.loss)).to.be.closeTo(
      either(gilbertElliott(0.01, 0.25), random(0.5)),
      1e-9,
    );
  });

  const losses = [
    random(0.2),
    random(0.2, 0.75),
    gilbertElliott(0.01, 0.25),
    gilbertElliott(0.05, 0.5),
  ];
  for (const a of losses) {
    for (const b of losses) {
      it(`keeps the mean loss of ${JSON.stringify(a)} and ${JSON.stringify(b)}`, () => {
        const composed = composeAll([fault({ loss: a }), fault({ loss: b })]).loss;
        expect(yieldedLoss(composed)).to.be.closeTo(either(a, b), 1e-6);
        const impairment = new Impairment(fault({ loss: composed }), seededRandom(1));
        for (let sent = 0; sent < 20_000; sent += 1) impairment.decide(new Uint8Array(1), sent);
        expect(impairment.counters.lost / 20_000).to.be.closeTo(either(a, b), 0.03);
      });
    }
  }

  it('says when bursts of one of two losses are given up, and only then', () => {
    const bursts = fault({ loss: gilbertElliott(0.01, 0.25) });
    expect(compositionNote([bursts, bursts])).to.match(/one model of bursts/);
    expect(
      compositionNote([fault({ loss: random(0.2, 0.5) }), fault({ loss: random(0.1) })]),
    ).to.be.a('string');
    expect(compositionNote([bursts, fault({ loss: random(0.1) })])).to.equal(undefined);
    expect(compositionNote([bursts, fault({ delayMs: 5 })])).to.equal(undefined);
    expect(compositionNote([])).to.equal(undefined);
  });
});
