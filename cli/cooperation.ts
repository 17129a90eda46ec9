/** What cooperative caching brought and cost against direct mode, in a sentence made from figures. */

import { CALLS, type Call } from './command_record.ts';
import type { RunSummary } from './call_summary.ts';
import { counted, formatMs } from './text_table.ts';

/** Medians this close together are called the same: less than the noise of a busy machine. */
const SAME_WITHIN_PERCENT = 10;

interface Difference {
  readonly call: Call;
  readonly cachedNs: number;
  readonly directNs: number;
  /** Negative where the caches were faster. */
  readonly percent: number;
}

/** By how much `a` is more than `b`, in whole percent of `b`. */
export const percentMore = (a: number, b: number): number => Math.round((a / b - 1) * 100);

const differences = (cached: RunSummary, direct: RunSummary): Difference[] =>
  CALLS.flatMap((call) => {
    const cachedNs = cached.calls[call].p50Ns;
    const directNs = direct.calls[call].p50Ns;
    if (cachedNs === undefined || directNs === undefined || directNs <= 0) return [];
    return [{ call, cachedNs, directNs, percent: percentMore(cachedNs, directNs) }];
  });

const named = ({ call, cachedNs, directNs, percent }: Difference): string =>
  `a median ${call} ${formatMs(cachedNs)} instead of ${formatMs(directNs)} (${percent > 0 ? '+' : '−'}${Math.abs(percent)} %)`;

const listed = (differencesOfAKind: readonly Difference[]): string =>
  differencesOfAKind.map(named).join(', ');

/** What cooperation brought, what it cost, and what stayed the same; only what the figures say. */
export const cooperationSentence = (cached: RunSummary, direct: RunSummary): string => {
  const all = differences(cached, direct);
  const brought = all.filter(({ percent }) => percent <= -SAME_WITHIN_PERCENT);
  const cost = all.filter(({ percent }) => percent >= SAME_WITHIN_PERCENT);
  const same = all.filter(({ percent }) => Math.abs(percent) < SAME_WITHIN_PERCENT);
  const reads = cached.calls.read.count;
  const fromNodes = cached.reads.local + cached.reads.peer;
  const parts = [
    `Cooperation served ${fromNodes} of ${counted(reads, 'read')} from the memories of the nodes`,
    brought.length > 0 ? `it brought ${listed(brought)}` : 'it made no call faster at the median',
    cost.length > 0 ? `it cost ${listed(cost)}` : 'it made no call slower at the median',
  ];
  if (same.length > 0) {
    parts.push(
      `${same.map(({ call }) => call).join(' and ')} stayed within ${SAME_WITHIN_PERCENT} %`,
    );
  }
  return `${parts.join('; ')}.`;
};
