/**
 * Two faults on one path as one fault. A queue of the kernel holds one netem, so the second fault has
 * to become part of the first; the other engines compose in the same way, so that all mean the same.
 */

import { yieldedLoss } from './loss_yield.ts';
import { NO_FAULT, type Fault, type Loss, type Probability } from './fault.ts';

/** The chance that at least one of two independent things happens. */
const either = (a: Probability, b: Probability): Probability => 1 - (1 - a) * (1 - b);

type GilbertElliott = Extract<Loss, { model: 'gilbert-elliott' }>;

const withRandom = (loss: GilbertElliott, probability: Probability): GilbertElliott => ({
  ...loss,
  lossInGood: either(loss.lossInGood, probability),
  lossInBad: either(loss.lossInBad, probability),
});

const composeLoss = (a: Loss, b: Loss): Loss => {
  if (a.model === 'none') return b;
  if (b.model === 'none') return a;
  // Exact: what the chain of states lets pass is lost by the other's chance. Of two chains there is one
  // in a netem line, so the second keeps its mean and gives up its bursts; so does a correlated loss.
  if (a.model === 'gilbert-elliott') return withRandom(a, yieldedLoss(b));
  if (b.model === 'gilbert-elliott') return withRandom(b, yieldedLoss(a));
  const [wider, other] = a.correlation >= b.correlation ? [a, b] : [b, a];
  if (wider.correlation === 0) {
    return { ...wider, probability: either(wider.probability, other.probability) };
  }
  // A correlated draw has no chance that could be added to: its mean is kept.
  return { model: 'random', correlation: 0, probability: either(yieldedLoss(a), yieldedLoss(b)) };
};

const compose = (a: Fault, b: Fault): Fault => ({
  delayMs: a.delayMs + b.delayMs,
  // Variances of independent delays add up.
  jitterMs: Math.hypot(a.jitterMs, b.jitterMs),
  distribution: a.jitterMs === 0 ? b.distribution : b.jitterMs === 0 ? a.distribution : 'normal',
  correlation: Math.max(a.correlation, b.correlation),
  loss: composeLoss(a.loss, b.loss),
  duplicate: either(a.duplicate, b.duplicate),
  corrupt: either(a.corrupt, b.corrupt),
  reorder: either(a.reorder, b.reorder),
  rate: a.rate === undefined ? b.rate : Math.min(a.rate, b.rate ?? a.rate),
});

/** All faults together. One alone, or none, is itself. */
export const composeAll = (faults: readonly Fault[]): Fault => faults.reduce(compose, NO_FAULT);

/** What composing loses of the words of the single faults; undefined if nothing. */
export const compositionNote = (faults: readonly Fault[]): string | undefined => {
  const bursty = faults.filter(
    ({ loss }) =>
      loss.model === 'gilbert-elliott' || (loss.model === 'random' && loss.correlation > 0),
  );
  const lossy = faults.filter(({ loss }) => loss.model !== 'none');
  if (bursty.length === 0 || lossy.length < 2) return undefined;
  if (bursty.length === 1 && bursty[0]?.loss.model === 'gilbert-elliott') return undefined;
  return 'one netem line has one model of bursts: of the other losses the mean is kept';
};
