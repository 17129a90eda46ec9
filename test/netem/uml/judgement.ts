/**
 * What is to be measured of a profile under a kernel with netem, and whether what was measured is what the
 * profile says. Pure.
 */

import { faultOf, type Fault, type Loss, type Profile } from '../../../netem/fault.ts';
import { HEADER_BYTES } from '../../../netem/impairment.ts';
import { yieldedLoss } from '../../../netem/loss_yield.ts';
import { probePace } from '../../../netem/measurement.ts';

/** Losses that are expected in each measurement, and of bursts as many as tell what so many independent ones do. */
const EXPECTED_LOSSES = 50;
const EXPECTED_INDEPENDENT_LOSSES = 20;
const LOSSLESS_DATAGRAMS = 10_000;
/** Round trips on each link. */
const TRIPS = 60;
const BARE_TRIPS = 40;
/** Bytes of a datagram of `test/netem/uml/probe.c`. */
const PROBE_BYTES = 8;
/** How much of a profile's rate the datagrams take, so that its queue is never full. */
const LOAD = 0.6;

/** Of the normal distribution, on both sides: what is shown, as everybody shows it. */
const QUANTILE_95 = 1.96;
/**
 * What decides. Some twenty figures are judged in a run; with 99.99 % each, all of them are met in 998 of
 * 1,000 runs in which nothing is wrong (Bonferroni), and the checks of every commit are to be believed.
 */
const QUANTILE_99_99 = 3.89;

/** What the probe is asked for. */
export interface Errand {
  readonly profile: string;
  /** In each direction of each link. */
  readonly datagrams: number;
  readonly everyUs: number;
  /** On each link. */
  readonly trips: number;
  readonly tripEveryUs: number;
  readonly waitMs: number;
}

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

/** An errand with nothing applied: as many datagrams as a profile without loss gets, and round trips in between. */
export const bareErrand = (directions: number): Errand => ({
  profile: 'none',
  datagrams: Math.ceil(LOSSLESS_DATAGRAMS / directions),
  everyUs: 0,
  trips: BARE_TRIPS,
  tripEveryUs: 10_000,
  waitMs: 200,
});

/** An errand for a profile whose loss is measured in so many directions at the same time. */
export const errandFor = (profile: Profile, directions: number): Errand => {
  const faults = [faultOf(profile, 'up'), faultOf(profile, 'down')];
  const loss = yieldedLoss(profile.loss);
  const independent = EXPECTED_INDEPENDENT_LOSSES * clustering(profile.loss);
  const losses = Math.max(EXPECTED_LOSSES, independent);
  const datagrams = loss === 0 ? LOSSLESS_DATAGRAMS : losses / loss;
  const bits = (PROBE_BYTES + HEADER_BYTES) * 8;
  const slowest = Math.min(...faults.map(({ rate }) => rate ?? Infinity));
  const pace = probePace(TRIPS, faults);
  return {
    profile: profile.name,
    datagrams: Math.ceil(datagrams / directions),
    everyUs: Math.ceil((bits * 1e6) / slowest / LOAD),
    trips: TRIPS,
    tripEveryUs: Math.ceil(pace.everyMs * 1000),
    waitMs: Math.ceil(pace.waitMs),
  };
};

export interface LossVerdict {
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
  const independent = sent / clustering(loss);
  const [low, high] = interval(measured, independent, QUANTILE_95);
  const [lowest, highest] = interval(measured, independent, QUANTILE_99_99);
  const within = (from: number, to: number): boolean => from <= expected && expected <= to;
  return expected === 0
    ? { expected, measured, low: 0, high, likely: lost === 0, met: lost === 0 }
    : { expected, measured, low, high, likely: within(low, high), met: within(lowest, highest) };
};

/** Round trips in ms. The median and quartiles, for a machine that stands still now and then. */
export interface Trips {
  readonly count: number;
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

export const tripsOf = (us: readonly number[]): Trips => {
  const sorted = us.toSorted((a, b) => a - b);
  const at = (part: number): number => (sorted[Math.floor(part * sorted.length)] ?? 0) / 1000;
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
const chanceOf = ({ count, lowerQuartile, upperQuartile }: Trips): number => {
  const deviation = (upperQuartile - lowerQuartile) / QUARTILES_APART;
  return (QUANTILE_99_99 * MEDIAN_DEVIATION * deviation) / Math.sqrt(count);
};

/**
 * The tolerance is what other engines have, 10 % or 1 ms, and the noise of this run: how far apart
 * quartiles of round trips are to which nothing is done, and the chance in both medians.
 */
export const judgeRtt = (faults: readonly Fault[], trips: Trips, bare: Trips): RttVerdict => {
  const asked = faults.reduce((sum, { delayMs }) => sum + delayMs, 0);
  const added = trips.median - bare.median;
  const noise = bare.upperQuartile - bare.lowerQuartile + chanceOf(bare) + chanceOf(trips);
  const tolerance = Math.max(1, asked / 10) + noise;
  return { asked, added, tolerance, met: Math.abs(added - asked) <= tolerance };
};
