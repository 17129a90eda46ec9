/** Does I/O: the simulator as a process, which tells a line of JSON for each of its seeds and ends with this process. */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { besideModule } from '../../netem/program_place.ts';

const PROGRAM = besideModule('../../test/sim/main', import.meta.url);

/** How much of what it says on its standard error is told. */
const SAID_CHARACTERS = 2000;

const seedSchema = z.object({
  seed: z.number(),
  /** What is wrong with the run of this seed; not there if nothing is. */
  failure: z.string().optional(),
  /** Reads and writes. */
  operations: z.number(),
  survival: z.object({
    leaseMs: z.number(),
    kills: z.number(),
    /** How long each acknowledged write took, in virtual ms. */
    writesMs: z.array(z.number()),
    lost: z.number(),
    /** Not there if the run did not come as far as to that. */
    linearizable: z.boolean().optional(),
    longestWaitMs: z.number(),
  }),
});

/** What came of one seed. */
export type SimulatedSeed = z.output<typeof seedSchema>;

/** Why there is no simulator here; undefined if there is one. */
export const simulatorMissing = (): string | undefined =>
  existsSync(PROGRAM) ? undefined : `the simulator is not there: no ${PROGRAM}`;

const command = (args: readonly string[]): readonly string[] => [
  ...process.execArgv,
  PROGRAM,
  ...args,
];

/** The command that runs one seed again, and prints all that happens. */
export const replayCommand = (profile: string, seed: number): string =>
  ['node', ...command(survivalArgs(profile)), '--seed', String(seed), '--trace'].join(' ');

const survivalArgs = (profile: string): readonly string[] => ['--survival', '--profile', profile];

/** Resolves with how it ended, once nothing more can be heard of it. */
const endOf = async (child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<string> => {
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-SAID_CHARACTERS);
  });
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  return `${signal ?? `exit status ${status ?? 'unknown'}`}: ${said.trim()}`;
};

/**
 * Kills nodes under load in so many runs of the simulator, on as many processes as there are CPUs. In the order of
 * their seeds.
 * @throws when `signal` aborts, at once, and nothing is left of it; when it does not come to its end.
 */
export const simulateSurvival = async (
  profile: string,
  first: number,
  seeds: number,
  signal: AbortSignal,
): Promise<readonly SimulatedSeed[]> => {
  signal.throwIfAborted();
  const range = ['--first', String(first), '--seeds', String(seeds), '--json'];
  const child = spawn(process.execPath, command([...survivalArgs(profile), ...range]), {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // Its standard input says that this process lives, and wants more.
  const stop = (): void => {
    child.stdin.destroy();
  };
  child.stdin.on('error', () => undefined);
  signal.addEventListener('abort', stop, { once: true });
  const [out, end] = await Promise.all([text(child.stdout), endOf(child)]).finally(() => {
    signal.removeEventListener('abort', stop);
  });
  signal.throwIfAborted();
  // What follows the last line's end is a line that was cut off.
  const lines = out.split('\n').slice(0, -1);
  const found = lines.map((line) => seedSchema.parse(JSON.parse(line)));
  if (found.length < seeds) {
    throw new Error(`the simulator ended after ${found.length} of ${seeds} seeds: ${end}`);
  }
  return found.sort((a, b) => a.seed - b.seed);
};
