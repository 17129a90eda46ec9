/** Does I/O: experiment `survival` in the simulator: the same promise, in virtual time. */

import { faultOf, type Profile } from '../../netem/fault.ts';
import { profileNamed, readProfiles } from '../../netem/profile_file.ts';
import { percentile } from '../../netem/transports/statistics.ts';
import type { Context, Plan } from './experiment.ts';
import { replayCommand, simulateSurvival, type SimulatedSeed } from './simulator.ts';
import { survivalPlots, survivalTables, type Survival } from './survival_figures.ts';

/** Each is a run with four kills. */
const SEEDS = 30;
const QUICK_SEEDS = 4;
/** More than SEEDS, so that no two values of --seed have a run in common. */
const SEEDS_APART = 100;
/** How long one takes on one of two cores, about. */
const SECONDS_A_SEED = 0.3;

export interface SimulatedSurvival extends Survival {
  readonly seeds: number;
}

const isLinearizable = (seeds: readonly SimulatedSeed[]): boolean | undefined => {
  const all = seeds.map(({ survival }) => survival.linearizable);
  if (all.includes(false)) return false;
  return all.includes(undefined) ? undefined : true;
};

/** Each run that failed: what is wrong with it, and the command that replays it. */
const verdictOf = (profile: string, seeds: readonly SimulatedSeed[]): string =>
  seeds
    .flatMap(({ seed, failure }) =>
      failure === undefined
        ? []
        : [`seed ${seed}: ${failure}\n  replay: ${replayCommand(profile, seed)}`],
    )
    .join('\n');

/** The figures of all runs under one profile. */
export const survivalOfSeeds = (
  profile: Profile,
  seeds: readonly SimulatedSeed[],
): SimulatedSurvival => {
  const all = seeds.map(({ survival }) => survival);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const writesMs = all.flatMap((each) => each.writesMs);
  return {
    profile: profile.name,
    leaseMs: Math.max(...all.map(({ leaseMs }) => leaseMs)),
    rttMs: 2 * faultOf(profile, 'up').delayMs,
    seeds: seeds.length,
    kills: sum(all.map(({ kills }) => kills)),
    operations: sum(seeds.map(({ operations }) => operations)),
    acknowledged: writesMs.length,
    lost: sum(all.map(({ lost }) => lost)),
    linearizable: isLinearizable(seeds),
    verdict: verdictOf(profile.name, seeds),
    writeP50Ms: percentile(writesMs, 0.5),
    writeP99Ms: percentile(writesMs, 0.99),
    longestWaitMs: Math.max(...all.map(({ longestWaitMs }) => longestWaitMs)),
  };
};

const says = (): string[] => [
  'The whole cluster in the simulator: a file server and four caching nodes with two applications each, which open, read, ' +
    'write, flush and close the same 12 files; every link has the profile. Under load, one node after the other is killed ' +
    'when every dirty file is on two nodes, and started again a moment later. A run, with four kills, follows from its seed. ' +
    'After every event of it the invariants of all nodes are checked; at the end its history has to be linearizable, and ' +
    'the disk has to have all that was acknowledged.',
  'All ms are virtual: the network and the disk take time, computing takes none. So what is seen is the protocol and the ' +
    'network alone, the same on every machine for the same --seed; figures of real processes are above them. The promise is ' +
    '0 lost: a write is acknowledged when two memories hold it. Leases are four round trips of the profile.',
];

/** One step for each profile. */
export const simulatedPlan = ({ quick, seed, signal }: Context): Plan => {
  const found: SimulatedSurvival[] = [];
  const profiles = quick ? [profileNamed('dc-lossy')] : readProfiles();
  const count = quick ? QUICK_SEEDS : SEEDS;
  const steps = profiles.map((profile) => ({
    label: `${profile.name}, ${count} seeds`,
    seconds: 1 + count * SECONDS_A_SEED,
    run: async () => {
      const seeds = await simulateSurvival(profile.name, seed * SEEDS_APART, count, signal);
      const survival = survivalOfSeeds(profile, seeds);
      found.push(survival);
      if (survival.verdict !== '') throw new Error(survival.verdict);
    },
  }));
  return {
    steps,
    section: () => ({
      says: says(),
      plots: survivalPlots(found, 'virtual ms'),
      tables: survivalTables(found),
      data: found,
    }),
  };
};
