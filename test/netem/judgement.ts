/** Whether losses and round trips that were measured are what a profile says. Pure. */

import type { Fault, Loss } from '../../netem/fault.ts';
import { percent } from '../../netem/fault_words.ts';
import { yieldedLoss } from '../../netem/loss_yield.ts';

/** Of the normal distribution, on both sides: what is shown, as everybody shows it. */
const QUANTILE_95 = 1.96;
/**
 * What decides. Some twenty figures are judged in a run; with 99.99 % each, all of them are met in 998 of
 * 1,000 runs in which nothing is wrong (Bonferroni), and the checks of every commit are to be believed.
 */
const QUANTILE_99_99 = 3.89;

/** Of simulated correlated draws with the words of the profile that has them; there is no formula for it. */
const CORRELATED_CLUSTERING = 2;

/**
 * How many times the variance of independent losses a model's has, so many losses tell what one independent
 * loss does. In Gilbert-Elliott the states of datagrams that are k apart correlate by (1 − p − r)^k.
 */
export const clustering = (loss: Loss): number => {
  switch (loss.model) {
    case 'none':
      return 1;
    case 'random':
      return loss.correlation > 0 ? CORRELATED_CLUSTERING : 1;
    case 'gilbert-elliott': {
      const follows = 1 - loss.toBad - loss.toGood;
      return (1 + follows) / (1 - follows);
    }
  }
};

export interface LossVerdict {
  readonly sent: number;
  readonly lost: number;
  readonly expected: number;
  readonly measured: number;
  /** The interval of 95 %. */
  readonly low: number;
  readonly high: number;
  readonly likely: boolean;
  readonly met: boolean;
}

/** Wilson's interval, which holds for few losses and for none. */
const interval = (part: number, count: number, quantile: number): readonly [number, number] => {
  const weight = quantile ** 2 / count;
  const middle = (part + weight / 2) / (1 + weight);
  const reach = (quantile / (1 + weight)) * Math.sqrt((part * (1 - part) + weight / 4) / count);
  return [middle - reach, middle + reach];
};

export const judgeLoss = (loss: Loss, sent: number, lost: number): LossVerdict => {
  const expected = yieldedLoss(loss);
  const measured = lost / sent;
  const figures = { sent, lost, expected, measured };
  const independent = sent / clustering(loss);
  const [low, high] = interval(measured, independent, QUANTILE_95);
  const [lowest, highest] = interval(measured, independent, QUANTILE_99_99);
  const within = (from: number, to: number): boolean => from <= expected && expected <= to;
  return expected === 0
    ? { ...figures, low: 0, high, likely: lost === 0, met: lost === 0 }
    : { ...figures, low, high, likely: within(low, high), met: within(lowest, highest) };
};

/** Round trips in ms. The median and quartiles, for a machine that stands still now and then. */
export interface Trips {
  readonly count: number;
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

export const tripsOf = (ms: readonly number[]): Trips => {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * sorted.length)] ?? 0;
  return {
    count: sorted.length,
    median: at(0.5),
    lowerQuartile: at(0.25),
    upperQuartile: at(0.75),
  };
};

export interface RttVerdict {
  readonly asked: number;
  readonly added: number;
  readonly tolerance: number;
  readonly met: boolean;
}

/** Of a normal distribution: from quartile to quartile in standard deviations, and the deviation of a median of n, times √n. */
const QUARTILES_APART = 1.349;
const MEDIAN_DEVIATION = 1.2533;

/** How far a median may be from the right one by chance. */
export const chanceOf = ({ count, lowerQuartile, upperQuartile }: Trips): number => {
  const deviation = (upperQuartile - lowerQuartile) / QUARTILES_APART;
  return (QUANTILE_99_99 * MEDIAN_DEVIATION * deviation) / Math.sqrt(count);
};

/** How far apart the quartiles are of round trips to which nothing is done, and the chance in their median. */
export const noiseOf = (bare: Trips): number =>
  bare.upperQuartile - bare.lowerQuartile + chanceOf(bare);

/** The tolerance is 10 % or 1 ms, and the noise of the machine in this run. */
export const judgeRtt = (
  faults: readonly Fault[],
  trips: Trips,
  bare: Trips,
  noise: number,
): RttVerdict => {
  const asked = faults.reduce((sum, { delayMs }) => sum + delayMs, 0);
  const added = trips.median - bare.median;
  const tolerance = Math.max(1, asked / 10) + noise;
  return { asked, added, tolerance, met: Math.abs(added - asked) <= tolerance };
};

/** The columns of `verdictCells`. */
export const VERDICT_TITLES = ['loss', 'measured', '95 %', 'RTT', 'added', 'tolerance'] as const;

/** A line of a table for people; "!" stands behind what is not met, "(!)" behind a loss outside 95 %. */
export const verdictCells = (loss: LossVerdict, rtt: RttVerdict): string[] => [
  percent(loss.expected),
  `${percent(loss.measured)} (${loss.lost} of ${loss.sent})`,
  `${percent(loss.low)} to ${percent(loss.high)}${loss.met ? (loss.likely ? '' : ' (!)') : ' !'}`,
  `${rtt.asked} ms`,
  `${rtt.added.toFixed(1)} ms`,
  `${rtt.tolerance.toFixed(1)} ms${rtt.met ? '' : ' !'}`,
];
