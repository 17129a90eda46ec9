/** What a loss model loses in the long run. Pure. */

import type { Loss } from './fault.ts';

/** Points at which the distribution of correlated draws is known, and how often it is refined. */
const GRID = 4000;
const REFINEMENTS = 400;
const PRECISION = 1e-9;

/**
 * The kernel draws a correlated number as (1 − c)·uniform + c·last (net/sched/sch_netem.c,
 * get_crandom). That is no longer uniform: it gathers around one half, so that it is seldom below a
 * small probability. F(x) = P(draw ≤ x) of the steady state solves
 * F(x) = ∫₀¹ F((x − (1 − c)·u) / c) du, which is found here by repetition.
 */
const correlatedLoss = (probability: number, correlation: number): number => {
  if (probability <= 0) return 0;
  if (probability >= 1) return 1;
  let cdf = Float64Array.from({ length: GRID + 1 }, (_, index) => index / GRID);
  const at = Math.round(probability * GRID);
  for (let round = 0; round < REFINEMENTS; round += 1) {
    const integral = new Float64Array(GRID + 1);
    for (let index = 1; index <= GRID; index += 1) {
      integral[index] =
        (integral[index - 1] ?? 0) + ((cdf[index - 1] ?? 0) + (cdf[index] ?? 0)) / (2 * GRID);
    }
    /** ∫ of F up to y, which is 0 below 0 and 1 above 1. */
    const area = (y: number): number => {
      if (y <= 0) return 0;
      if (y >= 1) return (integral[GRID] ?? 0) + y - 1;
      const place = y * GRID;
      const below = Math.floor(place);
      const part = place - below;
      return (integral[below] ?? 0) * (1 - part) + (integral[below + 1] ?? 0) * part;
    };
    const scale = correlation / (1 - correlation);
    const next = cdf.map((_, index) => {
      const x = index / GRID;
      return scale * (area(x / correlation) - area((x - (1 - correlation)) / correlation));
    });
    const change = Math.abs((next[at] ?? 0) - (cdf[at] ?? 0));
    cdf = next;
    if (round > 1 && change < PRECISION) break;
  }
  return cdf[at] ?? 0;
};

/** The part of all datagrams that `loss` loses: for correlated loss far from its nominal figure. */
export const yieldedLoss = (loss: Loss): number => {
  switch (loss.model) {
    case 'none':
      return 0;
    case 'random':
      return loss.correlation > 0 && loss.correlation < 1
        ? correlatedLoss(loss.probability, loss.correlation)
        : loss.probability;
    case 'gilbert-elliott': {
      const { toBad, toGood, lossInGood, lossInBad } = loss;
      if (toBad + toGood === 0) return lossInGood;
      return (toGood * lossInGood + toBad * lossInBad) / (toBad + toGood);
    }
  }
};
