/** Runs that measure what kills do: what cluster each of them has, and the figures of what happened to it. */

import { RECOVERIES_AT_ONCE } from '../../fileserver/recovery_turns.ts';
import { faultOf } from '../../netem/fault.ts';
import { profileNamed } from '../../netem/profile_file.ts';
import type { History } from './applications.ts';
import type { SimulationOptions } from './simulation_options.ts';

const KILLS = 4;
/** Short, so that a run shows what comes after them; slow links have longer leases. */
const LEASE_MS = 400;
const IDLE_TIMEOUT_MS = 1500;
/** The least from one kill to the next; on slow links so many round trips, so that there are writes to lose. */
const SPACING_MS = 1500;
const SPACING_ROUND_TRIPS = 12;
/** In virtual time, so that no more digits tell anything. */
const MS_DIGITS = 3;

/** Four nodes with two applications each on the same 12 files, and memory enough for all of them. */
export const survivalOptions = (seed: number, profile: string | undefined): SimulationOptions => {
  const delayMs = profile === undefined ? 0 : faultOf(profileNamed(profile), 'up').delayMs;
  return {
    seed,
    cachers: 4,
    applications: 2,
    directClients: 0,
    files: 12,
    blocksPerFile: 8,
    pages: 512,
    operations: Infinity,
    breaks: 0,
    faults: KILLS,
    killSpacingMs: Math.max(SPACING_MS, SPACING_ROUND_TRIPS * 2 * delayMs),
    losses: false,
    apart: false,
    serverWaitMs: 20_000,
    clockDrift: 0,
    clocksAtLimit: false,
    leaseMs: LEASE_MS,
    openPolicy: 'share',
    degradedPolicy: 'write-through',
    recoveriesAtOnce: RECOVERIES_AT_ONCE,
    links: 'rudp',
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    encrypted: false,
    profile,
    loss: 0,
    duplicate: 0,
    reorder: 0,
    corrupt: 0,
  };
};

export interface Kill {
  readonly node: string;
  readonly atMs: number;
}

/** All times are virtual. */
export interface SurvivalFigures {
  readonly leaseMs: number;
  readonly kills: number;
  /** How long each acknowledged write took, in ms. */
  readonly writesMs: readonly number[];
  /** Acknowledged writes that the disk lacks at the end, and files whose writes the server declared lost. */
  readonly lost: number;
  /** Undefined if the run did not come as far as to the judgement of its history. */
  readonly linearizable: boolean | undefined;
  /** The longest that an application of a node that lived waited for one call after a kill, in ms. */
  readonly longestWaitMs: number;
}

interface Timed {
  readonly process: string | number;
  readonly startNs: number;
  readonly endNs: number;
}

/** The longest of the waits after each kill; who was on the node that was killed has no call any more. */
export const longestWaitMs = (calls: readonly Timed[], kills: readonly Kill[]): number =>
  Math.max(
    0,
    ...kills.flatMap(({ node, atMs }) =>
      calls
        .filter(({ process, endNs }) => endNs > atMs && !String(process).startsWith(`${node}.`))
        .map(({ startNs, endNs }) => endNs - Math.max(startNs, atMs)),
    ),
  );

const rounded = (ms: number): number => Number(ms.toFixed(MS_DIGITS));

interface Run {
  /** Its times are virtual ms. */
  readonly history: Pick<History, 'operations' | 'unsaved' | 'linearizable'>;
  readonly kills: readonly Kill[];
  readonly losses: { readonly count: number };
  readonly leaseMs: number;
}

/** The figures of a run, whole or as far as it came. */
export const survivalOf = ({ history, kills, losses, leaseMs }: Run): SurvivalFigures => {
  const answered = history.operations.flatMap(({ kind, process, startNs, endNs }) =>
    endNs === undefined || process === 'loss'
      ? []
      : [{ kind, process, startNs: Number(startNs), endNs: Number(endNs) }],
  );
  return {
    leaseMs,
    kills: kills.length,
    writesMs: answered
      .filter(({ kind }) => kind === 'write')
      .map(({ startNs, endNs }) => rounded(endNs - startNs)),
    lost: history.unsaved + losses.count,
    linearizable: history.linearizable,
    longestWaitMs: rounded(longestWaitMs(answered, kills)),
  };
};
