/**
 * Looks for an order of a file's operations that explains what they saw (Wing and Gong 1993, with
 * the cache of Lowe 2017): depth first, one operation after the other, never the same set of
 * operations with the same contents twice. Pure.
 */

import type { FileHistory } from './file_history.ts';
import { SearchState } from './search_state.ts';

export type Finding = 'legal' | 'illegal' | 'undecided';

/** How many more steps may be taken, over several searches. */
export interface Budget {
  steps: number;
}

/** A strict search that meets an order finds it in about one step for each operation. */
const STRICT_STEPS_PER_ENTRY = 4;

interface Frame {
  readonly depth: number;
  readonly candidates: readonly number[];
  tried: number;
}

/** Writes that may come next, the one that ended first before the others. */
const candidatesOf = (
  state: SearchState,
  history: FileHistory,
  enabled: readonly number[],
): number[] => {
  const endOf = (index: number): number => history.entries[index]?.end ?? 0;
  return enabled
    .filter((index) => state.isWorthTrying(index))
    .sort((a, b) => (endOf(a) === endOf(b) ? a - b : endOf(a) - endOf(b)));
};

const searchAll = (history: FileHistory, budget: Budget, strict: boolean): Finding => {
  const state = new SearchState(history, strict);
  const seen = new Set<string>();
  const frames: Frame[] = [];
  const arrive = (): boolean => {
    state.takeWhatIsFree();
    if (state.complete) return true;
    budget.steps -= 1;
    const key = state.key();
    const isNew = !seen.has(key);
    if (isNew) seen.add(key);
    const enabled = isNew ? state.enabled() : [];
    const candidates = state.isHopeless(enabled) ? [] : candidatesOf(state, history, enabled);
    frames.push({ depth: state.depth, candidates, tried: 0 });
    return false;
  };
  if (arrive()) return 'legal';
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const candidate = frame.candidates[frame.tried];
    if (candidate === undefined) {
      frames.pop();
      continue;
    }
    if (budget.steps <= 0) return 'undecided';
    frame.tried += 1;
    state.takeBackTo(frame.depth);
    state.take(candidate);
    if (arrive()) return 'legal';
  }
  return 'illegal';
};

/**
 * Whether the history of one file is linearizable; 'undecided' if the budget ends before that is
 * known. A quick strict search comes first: it finds most orders, but decides nothing if it fails.
 */
export const search = (history: FileHistory, budget: Budget): Finding =>
  searchQuickly(history, budget) ? 'legal' : searchAll(history, budget, false);

/** True if an order is found without trying much. */
export const searchQuickly = (history: FileHistory, budget: Budget): boolean => {
  const quick = { steps: Math.min(budget.steps, STRICT_STEPS_PER_ENTRY * history.entries.length) };
  const granted = quick.steps;
  const finding = searchAll(history, quick, true);
  budget.steps -= granted - quick.steps;
  return finding === 'legal';
};
