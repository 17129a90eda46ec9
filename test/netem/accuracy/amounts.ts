/** How much is measured of a profile: datagrams for its loss, round trips for its delay. Pure. */

import { faultOf, type Profile } from '../../../netem/fault.ts';
import { yieldedLoss } from '../../../netem/loss_yield.ts';
import { probePace, type ProbePace } from '../../../netem/measurement.ts';

const EXPECTED_LOSSES = 1000;
const LOSSLESS_DATAGRAMS = 100_000;
/** Further apart than `netem show` has it: round trips of all profiles are timed at once. */
const LEAST_SPACING_MS = 50;
const SPACINGS = 2;
/** How long round trips are timed, and how many are enough of one link. */
const TIMING_MS = 6000;
const TRIPS_LIMIT = 100;
const BARE_TRIPS = 20;

/** What has been measured of a profile: round trips in ms, without and with it, and datagrams. */
export interface Measured {
  readonly bare: readonly number[];
  readonly trips: readonly number[];
  readonly sent: number;
  readonly lost: number;
}

/** Datagrams of which 1,000 are to be lost, or so many that one that is lost wrongly would be seen. */
export const datagramsFor = ({ loss }: Profile): number => {
  const expected = yieldedLoss(loss);
  return Math.ceil(expected === 0 ? LOSSLESS_DATAGRAMS : EXPECTED_LOSSES / expected);
};

/** Of the round trips of one link, so far apart that none holds up the next by its jitter. */
export const paceFor = (profile: Profile): ProbePace => {
  const pace = probePace(TRIPS_LIMIT, [faultOf(profile, 'up'), faultOf(profile, 'down')]);
  const everyMs = Math.max(LEAST_SPACING_MS, SPACINGS * pace.everyMs);
  return { ...pace, everyMs, count: Math.min(TRIPS_LIMIT, Math.floor(TIMING_MS / everyMs)) };
};

/** Of round trips to which nothing is done. */
export const barePace = (): ProbePace => ({
  ...probePace(BARE_TRIPS, []),
  everyMs: LEAST_SPACING_MS,
});
