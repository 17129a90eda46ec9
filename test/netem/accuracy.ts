/**
 * I/O: `npm run netem:accuracy [-- --seed N]`: every profile through the engine `relay` on real sockets and through
 * the engine `sim` in virtual time, what it loses and delays beside what it says. Fails for a loss outside the
 * corrected interval of the judgement, and for a round trip beyond its tolerance. The seed is always the same unless
 * another one is asked for: what has been met once is met again unless engine or machine do something else.
 */

import { Command } from 'commander';
import { textTable } from '../../cli/text_table.ts';
import { faultOf, type Profile } from '../../netem/fault.ts';
import { readProfiles } from '../../netem/profile_file.ts';
import { wholeNumber } from '../whole_number.ts';
import type { Measured } from './accuracy/amounts.ts';
import { measureSimulated } from './accuracy/simulated.ts';
import { measureSockets } from './accuracy/sockets.ts';
import {
  judgeLoss,
  judgeRtt,
  noiseOf,
  tripsOf,
  VERDICT_TITLES,
  verdictCells,
} from './judgement.ts';

const { seed } = new Command('npm run netem:accuracy --')
  .description('measure what engines do with the profiles, and judge it')
  .option('--seed <n>', 'of all losses and delays', wholeNumber(0, 0xffff_ffff), 1)
  .parse()
  .opts<{ seed: number }>();

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const rows = [['engine', 'profile', ...VERDICT_TITLES]];
let unmet = 0;
let unlikely = 0;
/** Wrong losses that would not be found out. */
let blind = 0;

const judge = (engine: string, profile: Profile, measured: Measured): void => {
  const { sent, lost } = measured;
  const [trips, bare] = [tripsOf(measured.trips), tripsOf(measured.bare)];
  const loss = judgeLoss(profile.loss, sent, lost);
  const faults = [faultOf(profile, 'up'), faultOf(profile, 'down')];
  const rtt = judgeRtt(faults, trips, bare, noiseOf(bare));
  rows.push([engine, profile.name, ...verdictCells(loss, rtt)]);
  if (!loss.met) unmet += 1;
  if (!rtt.met) unmet += 1;
  if (!loss.likely) unlikely += 1;
  const right = sent * loss.expected;
  const wrong = right === 0 ? [1] : [right / 2, right * 2];
  blind += wrong.filter((count) => judgeLoss(profile.loss, sent, count).met).length;
};

const profiles = readProfiles();
const simulated = new Map<Profile, Measured>();
const ofSockets = await measureSockets(seed, () => {
  for (const profile of profiles) simulated.set(profile, measureSimulated(profile, seed));
});
for (const profile of profiles) judge('relay', profile, ofSockets(profile.name));
for (const [profile, measured] of simulated) judge('sim', profile, measured);

for (const line of textTable(rows, [
  'left',
  'left',
  ...VERDICT_TITLES.map(() => 'right' as const),
])) {
  print(line);
}
print(
  `${unlikely} of ${rows.length - 1} losses are outside their interval of 95 %, where one is by chance; ` +
    `${unmet} figures are not met; ${blind} times half or twice the loss would be taken for it`,
);
process.exitCode = unmet + blind === 0 ? 0 : 1;
