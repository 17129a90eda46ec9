/**
 * Does I/O: one of the processes that measure the engine `relay` on real sockets: `index` and `of` tell which links
 * of every profile are its own. It times round trips while the sockets have nothing else to do, then, when it is
 * told that the other processes have, too, it sends as fast as they arrive, and counts losses.
 */

import { once } from 'node:events';
import type { Profile } from '../../../netem/fault.ts';
import type { ProbePace } from '../../../netem/measurement.ts';
import { readProfiles } from '../../../netem/profile_file.ts';
import { barePace, datagramsFor, paceFor } from './amounts.ts';
import { SocketLink } from './socket_link.ts';
import type { Counted, Timed } from './sockets.ts';

/** Of each profile, in all processes: so many that a slow link of long delay has time for its datagrams. */
const LINKS = 12;

const [index = 0, of = 1, seed = 1] = process.argv.slice(2).map(Number);
// Without whoever judges there is nothing to measure.
const giveUp = (): void => process.exit(1);
process.once('disconnect', giveUp);
const tell = (record: Timed | Counted): void => {
  process.send?.(record);
};

const links: SocketLink[] = [];
const seeds: string[] = [];
for (const profile of readProfiles()) {
  for (let number = index; number < LINKS; number += of) {
    links.push(await SocketLink.open(profile));
    seeds.push(`${seed}/${profile.name}/${number}`);
  }
}

/** Of every link, which take turns. */
const timeTrips = (paceOf: (profile: Profile) => ProbePace): Promise<number[][]> =>
  Promise.all(links.map((link, at) => link.timeTrips(paceOf(link.profile), at / links.length)));

// The first ones only warm up.
await timeTrips(() => ({ ...barePace(), count: 3 }));
const bare = await timeTrips(barePace);
links.forEach((link, at) => {
  link.apply(seeds[at] ?? '');
});
const trips = await timeTrips(paceFor);
links.forEach(({ profile: { name } }, at) => {
  tell({ profile: name, bare: bare[at] ?? [], trips: trips[at] ?? [] });
});

const told = once(process, 'message');
process.send?.('timed');
await told;
await Promise.all(
  links.map(async (link) => {
    const { profile } = link;
    const each = Math.ceil(datagramsFor(profile) / LINKS / 2);
    const lost = await link.countLosses(each, paceFor(profile).waitMs);
    tell({ profile: profile.name, sent: 2 * each, lost });
  }),
);
for (const link of links) await link.close();
process.off('disconnect', giveUp);
process.disconnect();
