/** Measures the engine `sim`: a profile on the network of the simulator, in virtual time. Pure. */

import type { Profile } from '../../../netem/fault.ts';
import { HEADER_BYTES } from '../../../netem/impairment.ts';
import { SimulatedNetwork } from '../../sim/network.ts';
import { Prng } from '../../sim/prng.ts';
import { datagramsFor, type Measured } from './amounts.ts';

const ROUND_TRIPS = 2000;
/** Far enough apart that no round trip waits for the one before it. */
const APART_MS = 2000;
/** As fast as the limit of datagrams under way allows without a rate. */
const LEAST_SPACING_MS = 0.02;
const BYTES = new Uint8Array(20);

/** Sends a datagram at a time; answers when it arrives, undefined if it does not. */
type Path = (now: number) => number | undefined;

const pathFrom = (from: string, profile: Profile, seed: number): Path => {
  const network = new SimulatedNetwork(new Prng(seed), { delayMs: 0, profile });
  return (now) => {
    network.send(from, 'b', BYTES, now);
    return network.deliver()?.at;
  };
};

const countLosses = (path: Path, { rate }: Profile, datagrams: number): number => {
  const packetMs = ((BYTES.length + HEADER_BYTES) * 8000) / (rate?.up ?? Infinity);
  const everyMs = Math.max(LEAST_SPACING_MS, 2 * packetMs);
  let lost = 0;
  for (let number = 0; number < datagrams; number += 1) {
    if (path(number * everyMs) === undefined) lost += 1;
  }
  return lost;
};

const timeTrips = (there: Path, back: Path): number[] => {
  const trips: number[] = [];
  for (let now = 0; now < ROUND_TRIPS * APART_MS; now += APART_MS) {
    const arrived = there(now);
    const returned = arrived === undefined ? undefined : back(arrived);
    if (returned !== undefined) trips.push(returned - now);
  }
  return trips;
};

export const measureSimulated = (profile: Profile, seed: number): Measured => {
  const sent = datagramsFor(profile);
  const lost = countLosses(pathFrom('n1', profile, seed), profile, sent);
  const there = pathFrom('n1', profile, seed);
  return { sent, lost, bare: [0], trips: timeTrips(there, pathFrom('server', profile, seed)) };
};
