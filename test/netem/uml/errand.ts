/** What is to be measured of a profile under a kernel with netem. Pure. */

import { faultOf, type Profile } from '../../../netem/fault.ts';
import { HEADER_BYTES } from '../../../netem/impairment.ts';
import { yieldedLoss } from '../../../netem/loss_yield.ts';
import { probePace } from '../../../netem/measurement.ts';
import { clustering } from '../judgement.ts';

/** Losses that are expected in each measurement, and of bursts as many as tell what so many independent ones do. */
const EXPECTED_LOSSES = 50;
const EXPECTED_INDEPENDENT_LOSSES = 20;
const LOSSLESS_DATAGRAMS = 1200;
/** Round trips on each link. */
const TRIPS = 60;
const BARE_TRIPS = 40;
/** Bytes of a datagram of `test/netem/uml/probe.c`. */
const PROBE_BYTES = 8;
/** How much of a profile's rate the datagrams take, so that its queue is never full. */
const LOAD = 0.6;

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
