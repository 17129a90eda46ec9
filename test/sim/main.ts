/** I/O: `npm run sim`: many seeds, or one with its trace. */

import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { profileNamed } from '../../netem/profile_file.ts';
import { messageOf } from '../../protocol/errors.ts';
import { FAULT_KINDS } from './fault_kinds.ts';
import { wholeNumber } from '../whole_number.ts';
import { inWorkers, isWorker, serveSeeds } from './seed_workers.ts';
import { simulate } from './simulation.ts';
import type { SimulationOptions, SimulationResult } from './simulation_options.ts';
import { survivalOptions } from './survival.ts';

const probability = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 0.9)) {
    throw new InvalidArgumentError('must be a probability of 0 to 0.9.');
  }
  return value;
};

const profileName = (text: string): string => {
  try {
    return profileNamed(text).name;
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
};

interface Flags {
  readonly seeds: number;
  readonly first: number;
  readonly seed?: number;
  readonly trace?: true;
  readonly cachers?: number;
  readonly operations: number;
  readonly links?: 'rudp' | 'direct';
  readonly encrypted?: true;
  readonly openPolicy?: 'share' | 'fail';
  readonly profile?: string;
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly corrupt?: number;
  readonly breaks?: number;
  readonly faults?: number;
  readonly apart?: true;
  readonly survival?: true;
  readonly json?: true;
  readonly jobs: number;
}

/** Encryption costs most of the time of a run, so one seed in so many has it. */
const ENCRYPTED_EVERY = 20;
const LOSSES = [0, 0.01, 0.05, 0.2, 0.3];
const LEASE_MS = 400;
/**
 * Leases nearer to those of the product take the longer to end, so few seeds have them, and these fewer faults. It
 * must not be links that end first: a node that knows its link to be down does not go on with its lease.
 */
const LONG_LEASES = [
  { every: 17, leaseMs: 1000, faults: 2 },
  { every: 41, leaseMs: 4000, faults: 1 },
];
const IDLE_TIMEOUT_MS = 1500;
const LONG_IDLE_TIMEOUT_MS = 10_000;

const longLeaseOf = (seed: number, { profile }: Flags) =>
  profile === undefined ? LONG_LEASES.find(({ every }) => seed % every === 2) : undefined;

/** A seed stands for a whole set-up, so that many seeds see many; flags fix a part of it. */
const mixedOptions = (seed: number, flags: Flags): SimulationOptions => ({
  seed,
  cachers: flags.cachers ?? 1 + ((seed >> 1) % 5),
  applications: 1 + (seed % 3),
  directClients: seed % 4 === 1 ? 1 : 0,
  files: 4 + (seed % 5),
  blocksPerFile: 1 + (seed % 3),
  // From too little for one file to enough for all.
  pages: 1 + ((seed * 7) % 20),
  operations: flags.operations,
  breaks: flags.breaks ?? (seed % 3 === 0 ? 4 : 0),
  faults: flags.faults ?? (seed % 4) * (longLeaseOf(seed, flags)?.faults ?? 3),
  losses: seed % 5 === 2,
  apart: flags.apart ?? seed % 13 === 6,
  serverWaitMs: seed % 3 === 1 ? 1500 : 20_000,
  clockDrift: seed % 2 === 0 ? 0.1 : 0,
  clocksAtLimit: (seed >> 2) % 2 === 0,
  leaseMs: longLeaseOf(seed, flags)?.leaseMs ?? LEASE_MS,
  openPolicy: flags.openPolicy ?? (seed % 11 === 5 ? 'fail' : 'share'),
  degradedPolicy: seed % 7 === 3 ? 'refuse' : 'write-through',
  recoveriesAtOnce: 1 + (seed % 3),
  links: flags.links ?? 'rudp',
  idleTimeoutMs:
    longLeaseOf(seed, flags) !== undefined || seed % 19 < 4
      ? LONG_IDLE_TIMEOUT_MS
      : IDLE_TIMEOUT_MS,
  encrypted: flags.encrypted ?? seed % ENCRYPTED_EVERY === 0,
  profile: flags.profile,
  loss: flags.loss ?? LOSSES[seed % LOSSES.length] ?? 0,
  duplicate: flags.duplicate ?? (seed % 2) * 0.05,
  reorder: flags.reorder ?? (seed % 7 === 0 ? 0.2 : 0.02),
  corrupt: flags.corrupt ?? (seed % 5 === 0 ? 0.02 : 0),
});

const optionsOf = (seed: number, flags: Flags): SimulationOptions =>
  flags.survival === undefined ? mixedOptions(seed, flags) : survivalOptions(seed, flags.profile);

const replay = (seed: number): string => {
  const flags = process.argv.slice(2).filter((each, index, all) => {
    const dropped = ['--seeds', '--first', '--seed', '--jobs'];
    return each !== '--trace' && !dropped.includes(each) && !dropped.includes(all[index - 1] ?? '');
  });
  return `npm run sim -- ${[...flags, '--seed', String(seed), '--trace'].join(' ')}`;
};

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const report = (result: SimulationResult): void => {
  print(`seed ${result.seed}: ${result.failure ?? 'passed'}`);
  if (result.failure !== undefined) print(`  replay: ${replay(result.seed)}`);
};

const runOne = (seed: number, flags: Flags): boolean => {
  const result = simulate(optionsOf(seed, flags), flags.trace === undefined ? undefined : print);
  report(result);
  const { events, operations, virtualMs, hash } = result;
  print(`${events} events, ${operations} operations, ${virtualMs.toFixed(0)} virtual ms`);
  print(`trace hash ${hash}`);
  return result.failure === undefined;
};

/**
 * Does `work`; its signal aborts when standard input, a pipe, ends: whoever has started this program is gone then,
 * or wants no more. False if that happened.
 */
const whileWanted = async (work: (signal: AbortSignal) => Promise<void>): Promise<boolean> => {
  const gone = new AbortController();
  process.stdin.once('close', () => {
    gone.abort();
  });
  process.stdin.resume();
  try {
    await work(gone.signal);
    return true;
  } catch (error) {
    if (!gone.signal.aborted) throw error;
    return false;
  } finally {
    process.stdin.destroy();
  }
};

/** For programs: a line of JSON for each seed, as soon as it is over. */
const runAsJson = async (flags: Flags): Promise<boolean> => {
  const first = flags.seed ?? flags.first;
  const seeds = flags.seed === undefined ? flags.seeds : 1;
  let passed = true;
  const take = (result: SimulationResult): void => {
    passed &&= result.failure === undefined;
    print(JSON.stringify(result));
  };
  const whole = await whileWanted((signal) => inWorkers(first, seeds, flags.jobs, take, signal));
  return whole && passed;
};

const runHere = (flags: Flags): Promise<boolean> | boolean => {
  if (flags.json !== undefined) return runAsJson(flags);
  return flags.seed === undefined ? runMany(flags) : runOne(flags.seed, flags);
};

/** Everything that goes wrong, by the names of its counters. */
const FAULTS = [
  ...FAULT_KINDS,
  ...['declaredLosses', 'restarts', 'serverRestarts', 'driftingClocks', 'linksBroken', 'apart'],
  ...['lost', 'duplicated', 'reordered', 'corrupted'],
] as const;
/** With so many seeds, every kind of fault has to happen. */
const SEEDS_FOR_ALL_FAULTS = 100;

const missingFaults = (sums: ReadonlyMap<string, number>): string[] =>
  FAULTS.filter((name) => (sums.get(name) ?? 0) === 0);

/** The seeds alone say what happens. */
const fixesNothing = (flags: Flags): boolean => {
  const given = Object.keys(flags).filter((name) => flags[name as keyof Flags] !== undefined);
  return given.every((name) => ['seeds', 'first', 'operations', 'jobs'].includes(name));
};

const runMany = async (flags: Flags): Promise<boolean> => {
  const started = process.hrtime.bigint();
  const sums = new Map<string, number>();
  let failed = 0;
  let events = 0;
  let operations = 0;
  const take = (result: SimulationResult): void => {
    events += result.events;
    operations += result.operations;
    for (const [name, value] of Object.entries(result.counters)) {
      sums.set(name, (sums.get(name) ?? 0) + value);
    }
    if (result.failure === undefined) return;
    failed++;
    report(result);
  };
  await inWorkers(flags.first, flags.seeds, flags.jobs, take);
  const missing = missingFaults(sums);
  if (flags.seeds >= SEEDS_FOR_ALL_FAULTS && fixesNothing(flags) && missing.length > 0) {
    print(`these faults did not happen: ${missing.join(', ')}`);
    failed++;
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  print([...sums].map(([name, value]) => `${name} ${value}`).join(', '));
  print(`faults: ${FAULTS.map((name) => `${name} ${sums.get(name) ?? 0}`).join(', ')}`);
  print(
    `${flags.seeds} seeds, ${events} events, ${operations} operations in ${seconds.toFixed(1)} s`,
  );
  print(`${flags.seeds - failed} passed, ${failed} failed`);
  return failed === 0;
};

/** What survivalOptions says for all its seeds. */
const FIXED_BY_SURVIVAL = [
  ...['cachers', 'operations', 'links', 'encrypted', 'openPolicy', 'loss', 'duplicate'],
  ...['reorder', 'corrupt', 'breaks', 'faults', 'apart'],
];

const command = new Command('sim')
  .description('runs the whole cluster in virtual time, once for every seed')
  .option('--seeds <n>', 'how many seeds', wholeNumber(1, 10_000_000), 200)
  .option('--first <n>', 'the first seed', wholeNumber(0, 2 ** 40), 1)
  .option('--seed <n>', 'this seed alone', wholeNumber(0, 2 ** 40))
  .addOption(new Option('--trace', 'with --seed: print every message').conflicts('json'))
  .option('--cachers <n>', 'how many cachers; else 1 to 5 by seed', wholeNumber(1, 16))
  .option('--operations <n>', 'operations of each application', wholeNumber(1, 100_000), 40)
  .option('--links <kind>', 'rudp, or direct: as rudp promises, and much faster')
  .option('--encrypted', 'real encryption; else one seed in twenty, and checksums')
  .option('--open-policy <policy>', 'share or fail; else fail for one seed in eleven')
  .option('--profile <name>', 'a profile of netem/profiles.yaml on every link', profileName)
  .option('--loss <p>', 'datagrams lost; else 0 to 0.3 by seed', probability)
  .option('--duplicate <p>', 'datagrams doubled', probability)
  .option('--reorder <p>', 'datagrams held back', probability)
  .option('--corrupt <p>', 'datagrams damaged', probability)
  .option('--breaks <n>', 'how often links break; else 0 or 4 by seed', wholeNumber(0, 1000))
  .option('--faults <n>', 'faults of nodes and links; else 0 to 9 by seed', wholeNumber(0, 1000))
  .option('--apart', 'n1 and n2 never reach each other; else one seed in thirteen')
  .addOption(
    new Option(
      '--survival',
      'kills alone, one node at a time, under load on four cachers',
    ).conflicts(FIXED_BY_SURVIVAL),
  )
  .option('--json', 'for programs: a line of JSON a seed, until standard input ends')
  .option('--jobs <n>', 'processes side by side', wholeNumber(1, 256), availableParallelism())
  .parse();

const flags = command.opts<Flags>();
if (flags.links !== undefined && !['rudp', 'direct'].includes(flags.links)) {
  command.error(`--links is ${flags.links}, must be rudp or direct`, { exitCode: 2 });
}
if (flags.openPolicy !== undefined && !['share', 'fail'].includes(flags.openPolicy)) {
  const right = 'must be share or fail: applications that wait for each other would wait for ever';
  command.error(`--open-policy is ${flags.openPolicy}, ${right}`, { exitCode: 2 });
}
if (isWorker) {
  serveSeeds((seed) => simulate(optionsOf(seed, flags)));
} else {
  process.exitCode = (await runHere(flags)) ? 0 : 1;
}
