/** Results in, markdown out: the medians of every link, and each goal beside what was reached. Pure. */

import type { Figures } from './bench_run.ts';
import { GOALS, type Goal } from './goals.ts';
import type { Work } from './links.ts';
import { median } from '../../netem/transports/statistics.ts';

export interface Result {
  readonly run: number;
  readonly link: string;
  readonly peer: string;
  readonly work: Work;
  readonly figures: Figures;
  /** Why there are none. */
  readonly problem?: string;
}

/** Column, workload and figure of the tables of links. */
const COLUMNS: readonly (readonly [string, Work, string])[] = [
  ['rr1 req/s', 'rr1', 'requestsPerSecond'],
  ['p50 ms', 'rr1', 'p50Ms'],
  ['p99 ms', 'rr1', 'p99Ms'],
  ['rr32 req/s', 'rr32', 'requestsPerSecond'],
  ['p99 ms', 'rr32', 'p99Ms'],
  ['CPU s/10k', 'rr32', 'cpuPer10k'],
  ['bulk MB/s', 'bulk', 'mbPerSecond'],
  ['wire B/B', 'bulk', 'wirePerByte'],
  ['first p50 ms', 'first', 'p50Ms'],
  ['p99 ms', 'first', 'p99Ms'],
  ['request lost ms', 'tail', 'requestMs'],
  ['response lost ms', 'tail', 'responseMs'],
  ['two packets lost ms', 'tail', 'twoPacketsMs'],
  ['share beside itself', 'fair', 'besideItself'],
  ['beside TCP CUBIC', 'fair', 'besideCubic'],
  ['flood: quiet req/s', 'flood', 'quietPerSecond'],
  ['beside it', 'flood', 'besidePerSecond'],
  ['flooded', 'flood', 'floodedPerSecond'],
  ['CPU us a hello', 'flood', 'helloUs'],
  ['state left', 'flood', 'stateLeft'],
];

const FIGURE_NAMES: Readonly<Record<string, string>> = {
  requestsPerSecond: 'req/s',
  p99Ms: 'p99 ms',
  mbPerSecond: 'MB/s',
  cpuPer10k: 'CPU s per 10,000',
  wirePerByte: 'wire bytes per byte',
  worstMedianMs: 'two losses at the tail, ms',
  unevenness: 'two flows, share off one half by',
  besideCubic: 'share beside TCP CUBIC',
  slowdown: 'slowdown by a flood',
  stateLeft: 'state left by it',
};

/** Three digits that count; '–' for what was not measured. */
export const formatFigure = (value: number): string => {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en');
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
};

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const unique = (values: readonly string[]): string[] => [...new Set(values)];

const figuresOf = (
  results: readonly Result[],
  at: {
    readonly link: string;
    readonly peer: string;
    readonly work: Work;
    readonly figure: string;
  },
): Map<number, number> => {
  const byRun = new Map<number, number>();
  for (const { link, peer, work, run, figures } of results) {
    const value = figures[at.figure];
    if (link !== at.link || peer !== at.peer || work !== at.work || value === undefined) continue;
    byRun.set(run, value);
  }
  return byRun;
};

/** Medians over the runs, a row a peer. */
export const linkTable = (results: readonly Result[], link: string): string => {
  const here = results.filter((result) => result.link === link);
  const columns = COLUMNS.filter(([, work, figure]) =>
    here.some((result) => result.work === work && result.figures[figure] !== undefined),
  );
  if (columns.length === 0) return '';
  const lines = unique(here.map(({ peer }) => peer)).map((peer) =>
    row([
      peer,
      ...columns.map(([, work, figure]) =>
        formatFigure(median([...figuresOf(here, { link, peer, work, figure }).values()])),
      ),
    ]),
  );
  const head = row(['peer', ...columns.map(([name]) => name)]);
  return [head, row(['---', ...columns.map(() => '---:')]), ...lines].join('\n');
};

/** The median of what counts for a goal: a figure, or its ratio in each run; NaN without measurements. */
export const reached = (results: readonly Result[], goal: Goal): number => {
  const mine = figuresOf(results, goal);
  if (goal.than === undefined) return median([...mine.values()]);
  const others = figuresOf(results, { ...goal, peer: goal.than });
  const ratios = [...mine].map(([run, value]) => value / (others.get(run) ?? Number.NaN));
  return median(ratios.filter((ratio) => Number.isFinite(ratio)));
};

const isMet = (value: number, { atLeast, atMost }: Goal): boolean =>
  value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);

const boundOf = ({ atLeast, atMost, than }: Goal): string => {
  const bound =
    atLeast === undefined
      ? `≤ ${formatFigure(atMost ?? Number.NaN)}`
      : `≥ ${formatFigure(atLeast)}`;
  return than === undefined ? bound : `${bound} × ${than}`;
};

const goalRow = (results: readonly Result[], goal: Goal): string => {
  const value = reached(results, goal);
  const own = median([...figuresOf(results, goal).values()]);
  const other = { ...goal, peer: goal.than ?? '' };
  const beside =
    goal.than === undefined ? Number.NaN : median([...figuresOf(results, other).values()]);
  const { link, work, peer, figure } = goal;
  const verdict = isMet(value, goal) ? 'met' : '**missed**';
  const what = work.startsWith('rr') || work === 'bulk' ? `${work}, ` : '';
  return row([
    link,
    peer,
    what + (FIGURE_NAMES[figure] ?? figure),
    formatFigure(own),
    formatFigure(beside),
    formatFigure(value),
    boundOf(goal),
    verdict,
  ]);
};

/** A row for each goal that was measured. */
export const goalTable = (results: readonly Result[]): string => {
  const measured = GOALS.filter((goal) => Number.isFinite(reached(results, goal)));
  if (measured.length === 0) return '';
  const head = ['link', 'peer', 'figure', 'measured', 'other', 'counts', 'goal', ''];
  const line = ['---', '---', '---', '---:', '---:', '---:', '---', '---'];
  return [row(head), row(line), ...measured.map((goal) => goalRow(results, goal))].join('\n');
};
