/** What a run did, in figures: calls by kind with their latencies, and where reads came from. */

import type { Source } from '../protocol/ids.ts';
import { CALLS, type Call, type CommandRecord } from './command_record.ts';
import { counted, formatMs, textTable } from './text_table.ts';

const SOURCES = ['local', 'peer', 'server', 'disk'] as const satisfies readonly Source[];

interface CallFigures {
  readonly count: number;
  /** Latencies; undefined if there was no such call. */
  readonly p50Ns: number | undefined;
  readonly p99Ns: number | undefined;
}

export interface RunSummary {
  readonly calls: Readonly<Record<Call, CallFigures>>;
  readonly reads: Readonly<Record<Source, number>>;
  /** Acknowledged writes, by how many memories held them then; index 0 is "on disk instead". */
  readonly writesByCopies: readonly number[];
}

/** The nearest-rank percentile, `percent` in (0, 100], of ascending values. */
export const percentile = (ascending: readonly number[], percent: number): number | undefined =>
  ascending[Math.max(0, Math.ceil((percent / 100) * ascending.length) - 1)];

const figuresOf = (latenciesNs: readonly number[]): CallFigures => {
  const ascending = [...latenciesNs].sort((a, b) => a - b);
  return {
    count: ascending.length,
    p50Ns: percentile(ascending, 50),
    p99Ns: percentile(ascending, 99),
  };
};

/** Counts calls that reached their end without an error; the others have no latency to compare. */
export const summarise = (records: readonly CommandRecord[]): RunSummary => {
  const done = records.filter((record) => record.error === undefined);
  const latencies = (call: Call): number[] =>
    done
      .filter((record) => record.command === call)
      .map((record) => Number(record.endNs - record.startNs));
  const reads = { local: 0, peer: 0, server: 0, disk: 0 };
  const writesByCopies: number[] = [];
  for (const record of done) {
    if (record.servedFrom !== undefined) reads[record.servedFrom] += 1;
    if (record.command !== 'write' || record.copies === undefined) continue;
    while (writesByCopies.length <= record.copies) writesByCopies.push(0);
    writesByCopies[record.copies] = (writesByCopies[record.copies] ?? 0) + 1;
  }
  const [open, read, write, close] = CALLS.map((call) => figuresOf(latencies(call)));
  const none = figuresOf([]);
  return {
    calls: {
      open: open ?? none,
      read: read ?? none,
      write: write ?? none,
      close: close ?? none,
    },
    reads,
    writesByCopies,
  };
};

const cell = (ns: number | undefined): string => (ns === undefined ? '–' : formatMs(ns));

/** Calls × count, p50, p99. */
export const callTable = ({ calls }: RunSummary): string[] =>
  textTable(
    [
      ['call', 'count', 'p50', 'p99'],
      ...CALLS.map((call) => {
        const { count, p50Ns, p99Ns } = calls[call];
        return [call, String(count), cell(p50Ns), cell(p99Ns)];
      }),
    ],
    ['left', 'right', 'right', 'right'],
  );

const SOURCE_NAMES: Readonly<Record<Source, string>> = {
  local: 'local memory',
  peer: 'peer memory',
  server: 'server memory',
  disk: 'disk',
};

/** "reads served from: local memory 5, peer memory 7, server memory 0, disk 4". */
export const readsLine = ({ reads }: RunSummary): string =>
  `reads served from: ${SOURCES.map((source) => `${SOURCE_NAMES[source]} ${reads[source]}`).join(', ')}`;

export interface Durability {
  readonly line: string;
  /** Every acknowledged write was in two memories, or on the disk. */
  readonly safe: boolean;
}

/** Whether each write was in two memories when it was acknowledged, by what its answer said. */
export const durabilityVerdict = ({ writesByCopies }: RunSummary): Durability => {
  const onDisk = writesByCopies[0] ?? 0;
  const alone = writesByCopies[1] ?? 0;
  const twice = writesByCopies.slice(2).reduce((sum, count) => sum + count, 0);
  const disk = onDisk > 0 ? `; ${counted(onDisk, 'write')} went to the disk instead` : '';
  if (alone > 0) {
    const line = `${counted(alone, 'write')} acknowledged with a single copy in memory`;
    return { line: `dirty files on two nodes: no (${line}${disk})`, safe: false };
  }
  if (twice + onDisk === 0) return { line: 'no file was written', safe: true };
  return {
    line: `every dirty file was on two nodes when its write was acknowledged: yes (${counted(twice, 'write')}${disk})`,
    safe: true,
  };
};

/** Both runs side by side, call by call. */
export const sideBySide = (cached: RunSummary, direct: RunSummary): string[] =>
  textTable(
    [
      ['call', 'count', 'p50 with', 'without', 'p99 with', 'without'],
      ...CALLS.map((call) => {
        const [a, b] = [cached.calls[call], direct.calls[call]];
        const count = a.count === b.count ? String(a.count) : `${a.count}/${b.count}`;
        return [call, count, cell(a.p50Ns), cell(b.p50Ns), cell(a.p99Ns), cell(b.p99Ns)];
      }),
    ],
    ['left', 'right', 'right', 'right', 'right', 'right'],
  );
