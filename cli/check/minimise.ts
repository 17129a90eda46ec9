/** Makes a history that is not linearizable small enough to be understood. Pure. */

import { NEVER, withEntries, type Entry, type FileHistory } from './file_history.ts';
import { search, type Budget } from './search.ts';

/** How many steps one attempt to leave something out may take. */
const ATTEMPT_STEPS = 20_000;

const isIllegal = (history: FileHistory, entries: readonly Entry[], budget: Budget): boolean => {
  const attempt: Budget = { steps: Math.min(ATTEMPT_STEPS, budget.steps) };
  const granted = attempt.steps;
  const finding = granted > 0 ? search(withEntries(history, entries), attempt) : 'undecided';
  budget.steps -= granted - attempt.steps;
  return finding === 'illegal';
};

/** What had happened at time `end`: later answers are not in yet. */
const prefixOf = (entries: readonly Entry[], end: number): Entry[] =>
  entries
    .filter((entry) => entry.start <= end && (entry.end <= end || !entry.isRead))
    .map((entry) => (entry.end <= end ? entry : { ...entry, end: NEVER }));

/** The shortest beginning of the history that is illegal: once it is so, it stays so. */
const illegalPrefix = (history: FileHistory, budget: Budget): readonly Entry[] => {
  const ends = [...new Set(history.entries.map(({ end }) => end))].sort((a, b) => a - b);
  let shortest = history.entries;
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const prefix = prefixOf(history.entries, ends[middle] ?? 0);
    if (isIllegal(history, prefix, budget)) {
      shortest = prefix;
      high = middle;
    } else low = middle + 1;
  }
  return shortest;
};

/**
 * The entries without those in [from, to), but for the writes whose contents a remaining read saw.
 * What is left is illegal only if all of it was: an order of all would be one of these too, because
 * no read that remains saw a write that does not.
 */
const without = (entries: readonly Entry[], from: number, to: number): Entry[] => {
  const seen = new Set<number>();
  entries.forEach((entry, index) => {
    if (entry.isRead && (index < from || index >= to)) {
      entry.values.forEach((value) => seen.add(value));
    }
  });
  return entries.filter(
    (entry, index) =>
      index < from ||
      index >= to ||
      (!entry.isRead && entry.values.some((value) => seen.has(value))),
  );
};

/**
 * The smallest piece found of an illegal history that is illegal by itself: a beginning of it, of
 * which nothing more could be left out. When the budget ends, the smallest until then.
 */
export const minimise = (history: FileHistory, budget: Budget): readonly Entry[] => {
  let entries = illegalPrefix(history, budget);
  let size = Math.ceil(entries.length / 2);
  for (;;) {
    const before = entries.length;
    for (let from = 0; from < entries.length;) {
      const fewer = without(entries, from, from + size);
      if (fewer.length < entries.length && isIllegal(history, fewer, budget)) entries = fewer;
      else from += size;
    }
    if (size <= 1 && entries.length === before) return entries;
    size = Math.max(1, Math.floor(size / 2));
  }
};
