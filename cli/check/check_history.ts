/**
 * Is what all processes saw of each file explained by one order of the operations, each at one
 * moment between its call and its answer? Linearizability is local (Herlihy and Wing 1990), so that
 * every file is checked by itself. Pure.
 */

import { fileHistory, projectOn, type FileHistory } from './file_history.ts';
import { minimise } from './minimise.ts';
import { findShortRead, findUnexplained } from './necessary.ts';
import { compareTimes, type Operation } from './operation.ts';
import { search, searchQuickly } from './search.ts';

export interface CheckLimits {
  /** How many steps the search may take for one file before it stays undecided. */
  readonly stepsPerFile: number;
  /** How many steps may go into making the offending piece small. */
  readonly minimiseSteps: number;
}

export const CHECK_LIMITS: CheckLimits = { stepsPerFile: 1_000_000, minimiseSteps: 1_000_000 };

export interface CheckOptions {
  /** The contents of a file before the first operation; its length is the size of the file. */
  readonly initialContents: (file: number) => Uint8Array;
  readonly limits?: Partial<CheckLimits>;
}

export type Verdict =
  | { readonly verdict: 'linearizable'; readonly operations: number; readonly files: number }
  | {
      readonly verdict: 'violation';
      readonly file: number;
      /** What is wrong, in one sentence. */
      readonly message: string;
      /** The smallest piece found that no order explains, by the start of its operations. */
      readonly piece: readonly Operation[];
    }
  /** The search was given up: that is not a pass. */
  | { readonly verdict: 'undecided'; readonly file: number; readonly message: string };

const byFile = (operations: readonly Operation[]): Map<number, Operation[]> => {
  const files = new Map<number, Operation[]>();
  for (const operation of operations) {
    const known = files.get(operation.file);
    if (known === undefined) files.set(operation.file, [operation]);
    else known.push(operation);
  }
  return files;
};

const violation = (file: number, history: FileHistory, steps: number): Verdict => {
  const piece = minimise(history, { steps }).map(({ operation }) => operation);
  piece.sort((a, b) => compareTimes(a.startNs, b.startNs));
  const from = history.bounds[0] ?? 0;
  const to = (history.bounds.at(-1) ?? 1) - 1;
  const what = `no order of these ${piece.length} operations explains what was read`;
  return {
    verdict: 'violation',
    file,
    message: `file ${file}: ${what} of bytes ${from} to ${to}`,
    piece,
  };
};

/**
 * The history of a part of the file that no order explains, if one is found. One segment is decided
 * quickly where the whole is not, and shows most violations.
 */
const findIllegalPart = (history: FileHistory, limits: CheckLimits): FileHistory | undefined => {
  const budget = { steps: limits.stepsPerFile };
  for (let segment = 0; segment + 1 < history.bounds.length; segment += 1) {
    const part = projectOn(history, segment);
    if (search(part, budget) === 'illegal') return part;
  }
  return undefined;
};

/** The verdict on one file; undefined if an order explains all of it. */
const checkFile = (
  file: number,
  operations: readonly Operation[],
  initialContents: Uint8Array,
  limits: CheckLimits,
): Verdict | undefined => {
  const history = fileHistory(operations, initialContents);
  const single =
    findShortRead(operations, initialContents.length) ?? findUnexplained(history, initialContents);
  if (single !== undefined) {
    const { message, operation } = single;
    return { verdict: 'violation', file, message: `file ${file}: ${message}`, piece: [operation] };
  }
  const budget = { steps: limits.stepsPerFile };
  if (searchQuickly(history, budget)) return undefined;
  const part = findIllegalPart(history, limits);
  if (part !== undefined) return violation(file, part, limits.minimiseSteps);
  const finding = search(history, budget);
  if (finding === 'legal') return undefined;
  if (finding === 'illegal') return violation(file, history, limits.minimiseSteps);
  const message = `file ${file}: no verdict on ${operations.length} operations after ${limits.stepsPerFile} steps`;
  return { verdict: 'undecided', file, message };
};

/**
 * Checks a whole history. A violation in any file is told before a file that stays undecided.
 * Throws FsError EINVAL for an operation that cannot be: beyond its file, or ending before it starts.
 */
export const checkHistory = (operations: readonly Operation[], options: CheckOptions): Verdict => {
  const limits = { ...CHECK_LIMITS, ...options.limits };
  const files = byFile(operations);
  let undecided: Verdict | undefined;
  for (const [file, ofFile] of files) {
    const verdict = checkFile(file, ofFile, options.initialContents(file), limits);
    if (verdict?.verdict === 'violation') return verdict;
    undecided ??= verdict;
  }
  return undecided ?? { verdict: 'linearizable', operations: operations.length, files: files.size };
};
