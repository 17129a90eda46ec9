/**
 * The history of one file, made small for the search. The file is cut into segments at every place
 * where an operation begins or ends, so that each operation covers whole segments; each content that
 * a segment is ever seen with gets a number. Times become ranks. Pure.
 */

import { FsError } from '../../protocol/errors.ts';
import { compareTimes, showOperation, type Operation, type Time } from './operation.ts';

/** The end of an operation that was never answered. */
export const NEVER = Number.POSITIVE_INFINITY;

export interface Entry {
  readonly operation: Operation;
  readonly isRead: boolean;
  readonly start: number;
  readonly end: number;
  readonly firstSegment: number;
  /** The contents of the segments that it covers, from the first on. */
  readonly values: Int32Array;
}

export interface FileHistory {
  /** In the order of their starts. */
  readonly entries: readonly Entry[];
  /** The contents of every segment before the first operation. */
  readonly initial: Int32Array;
  /** How many different contents there are, over all segments. */
  readonly valueCount: number;
  /** Where each segment begins, and where the last one ends. */
  readonly bounds: readonly number[];
}

const BYTE_VALUES = 256;

/** Numbers the contents of one segment. */
class SegmentValues {
  readonly #bytes = new Int32Array(BYTE_VALUES).fill(-1);
  readonly #texts = new Map<string, number>();

  byte(value: number, next: number): number {
    const known = this.#bytes[value] ?? -1;
    if (known >= 0) return known;
    this.#bytes[value] = next;
    return next;
  }

  text(value: string, next: number): number {
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    this.#texts.set(value, next);
    return next;
  }
}

/** Numbers the contents of all segments, so that no two segments share a number. */
class Values {
  count = 0;
  readonly #segments: readonly SegmentValues[];
  readonly #bounds: readonly number[];
  readonly #decoder = new TextDecoder('latin1');

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#segments = bounds.slice(1).map(() => new SegmentValues());
  }

  /** The numbers of `bytes`, which begin with segment `first`, at `offset`. */
  number(bytes: Uint8Array, offset: number, first: number): Int32Array {
    const end = offset + bytes.length;
    let last = first;
    while ((this.#bounds[last] ?? end) < end) last += 1;
    const text = last - first === bytes.length ? '' : this.#decoder.decode(bytes);
    const numbers = new Int32Array(last - first);
    for (let index = first; index < last; index += 1) {
      const from = (this.#bounds[index] ?? 0) - offset;
      const to = (this.#bounds[index + 1] ?? 0) - offset;
      const values = this.#segments[index];
      if (values === undefined) continue;
      const number =
        to - from === 1
          ? values.byte(bytes[from] ?? 0, this.count)
          : values.text(text.slice(from, to), this.count);
      if (number === this.count) this.count += 1;
      numbers[index - first] = number;
    }
    return numbers;
  }
}

const checkOperation = (operation: Operation, sizeBytes: number): void => {
  const { offset, bytes, startNs, endNs } = operation;
  const refuse = (why: string): never => {
    throw new FsError('EINVAL', `${why}: ${showOperation(operation)}`);
  };
  if (!Number.isSafeInteger(offset) || offset < 0) refuse('no offset');
  if (offset + bytes.length > sizeBytes) refuse(`beyond the ${sizeBytes} bytes of its file`);
  if (endNs !== undefined && compareTimes(endNs, startNs) < 0) refuse('ends before it starts');
};

const ranksOf = (operations: readonly Operation[]): Map<Time, number> => {
  const times: Time[] = operations.flatMap(({ startNs, endNs }) =>
    endNs === undefined ? [startNs] : [startNs, endNs],
  );
  times.sort(compareTimes);
  const ranks = new Map<Time, number>();
  let rank = 0;
  let before: Time | undefined;
  for (const time of times) {
    if (before !== undefined && compareTimes(before, time) < 0) rank += 1;
    ranks.set(time, rank);
    before = time;
  }
  return ranks;
};

/**
 * Makes the history of one file. Operations that move no bytes and reads without an answer are left
 * out: they tell nothing. Throws FsError EINVAL for one beyond the file or that ends before it starts.
 */
export const fileHistory = (
  operations: readonly Operation[],
  initialContents: Uint8Array,
): FileHistory => {
  const telling = operations.filter((operation) => {
    checkOperation(operation, initialContents.length);
    return (
      operation.bytes.length > 0 && (operation.kind === 'write' || operation.endNs !== undefined)
    );
  });
  const cuts = new Set<number>();
  for (const { offset, bytes } of telling) cuts.add(offset).add(offset + bytes.length);
  const bounds = [...cuts].sort((a, b) => a - b);
  const segmentAt = new Map(bounds.map((bound, index) => [bound, index]));
  const ranks = ranksOf(telling);
  const values = new Values(bounds);
  const covered = initialContents.subarray(bounds[0] ?? 0, bounds.at(-1) ?? 0);
  const initial = values.number(covered, bounds[0] ?? 0, 0);
  const entries = telling.map((operation): Entry => {
    const firstSegment = segmentAt.get(operation.offset) ?? 0;
    return {
      operation,
      isRead: operation.kind === 'read',
      start: ranks.get(operation.startNs) ?? 0,
      end: operation.endNs === undefined ? NEVER : (ranks.get(operation.endNs) ?? 0),
      firstSegment,
      values: values.number(operation.bytes, operation.offset, firstSegment),
    };
  });
  entries.sort((a, b) => a.start - b.start);
  return { entries, initial, valueCount: values.count, bounds };
};

/** The same file with some of its entries only. */
export const withEntries = (history: FileHistory, entries: readonly Entry[]): FileHistory => ({
  ...history,
  entries,
});

/**
 * What happened to one segment only. If no order explains that, none explains the whole: an order of
 * the whole is one for each part.
 */
export const projectOn = (history: FileHistory, segment: number): FileHistory => {
  const numbers = new Map<number, number>();
  const renumber = (value: number): Int32Array => {
    const number = numbers.get(value) ?? numbers.size;
    numbers.set(value, number);
    return Int32Array.of(number);
  };
  const initial = renumber(history.initial[segment] ?? 0);
  const entries = history.entries.flatMap((entry) => {
    const value = entry.values[segment - entry.firstSegment];
    return value === undefined ? [] : [{ ...entry, firstSegment: 0, values: renumber(value) }];
  });
  const bounds = history.bounds.slice(segment, segment + 2);
  return { entries, initial, valueCount: numbers.size, bounds };
};
