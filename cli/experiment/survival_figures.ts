/** What `survival` has found out under each profile, as a table and a plot. Pure. */

import { shortNumber, type Plot } from './plot.ts';
import type { Table } from './report.ts';

export interface Survival {
  readonly profile: string;
  readonly leaseMs: number;
  readonly rttMs: number;
  readonly kills: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly lost: number;
  /** Undefined if that could not be judged. */
  readonly linearizable: boolean | undefined;
  readonly verdict: string;
  readonly writeP50Ms: number;
  readonly writeP99Ms: number;
  /** The longest that an application of a node that lives waited for one call after a kill. */
  readonly longestWaitMs: number;
}

const plotOf = (found: readonly Survival[], unit: string): Plot => {
  const by = (figure: 'writeP50Ms' | 'writeP99Ms' | 'longestWaitMs') =>
    found.map((each) => [each.rttMs, each[figure]] as const).sort(([a], [b]) => a - b);
  return {
    title: 'How long writes took, by the round trip of the profile',
    x: { label: 'round trip of the profile, ms', log: true },
    y: { label: unit, log: true },
    series: [
      { name: 'write, median', colour: 0, kind: 'line', points: by('writeP50Ms') },
      { name: 'write, 99th percentile', colour: 0, kind: 'dashed', points: by('writeP99Ms') },
      { name: 'longest wait after a kill', colour: 1, kind: 'line', points: by('longestWaitMs') },
    ],
  };
};

const inWords = (linearizable: boolean | undefined): string =>
  linearizable === undefined ? 'not judged' : linearizable ? 'yes' : 'NO';

const tableOf = (found: readonly Survival[]): Table => ({
  head: [
    'profile',
    'lease ms',
    'kills',
    'operations',
    'acknowledged writes',
    'lost',
    'linearizable',
    'write p50 ms',
    'p99 ms',
    'longest wait ms',
  ],
  rows: found.map((each) => [
    each.profile,
    String(each.leaseMs),
    String(each.kills),
    shortNumber(each.operations),
    shortNumber(each.acknowledged),
    String(each.lost),
    inWords(each.linearizable),
    shortNumber(each.writeP50Ms),
    shortNumber(each.writeP99Ms),
    shortNumber(each.longestWaitMs),
  ]),
});

/** None of what cannot be compared. `unit` is that of the times. */
export const survivalPlots = (found: readonly Survival[], unit: string): readonly Plot[] =>
  found.length < 2 ? [] : [plotOf(found, unit)];

export const survivalTables = (found: readonly Survival[]): readonly Table[] =>
  found.length === 0 ? [] : [tableOf(found)];
