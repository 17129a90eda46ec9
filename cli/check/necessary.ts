/**
 * What must hold of every read whatever the order of the operations: each byte was once written
 * there, or pre-filled. Quick, and its message is clearer than that of a search. Pure.
 */

import type { Entry, FileHistory } from './file_history.ts';
import { showBytes, type Operation } from './operation.ts';

export interface Unexplained {
  readonly operation: Operation;
  readonly message: string;
}

const PREFILLED = -1;

/** By value, when the first write of it started. */
const firstStarts = (history: FileHistory): Float64Array => {
  const starts = new Float64Array(history.valueCount).fill(Number.POSITIVE_INFINITY);
  for (const entry of history.entries) {
    if (entry.isRead) continue;
    for (const value of entry.values) {
      if (entry.start < (starts[value] ?? 0)) starts[value] = entry.start;
    }
  }
  for (const value of history.initial) starts[value] = PREFILLED;
  return starts;
};

/** True if some write that may precede the read, or the filling, put `byte` at `place`. */
const isByteExplained = (
  history: FileHistory,
  read: Entry,
  place: number,
  byte: number | undefined,
  initialContents: Uint8Array,
): boolean =>
  initialContents[place] === byte ||
  history.entries.some(
    ({ isRead, start, operation }) =>
      !isRead && start <= read.end && operation.bytes[place - operation.offset] === byte,
  );

const explain = (
  history: FileHistory,
  read: Entry,
  segment: number,
  initialContents: Uint8Array,
): string => {
  const { bytes, offset } = read.operation;
  const from = history.bounds[segment] ?? 0;
  const to = history.bounds[segment + 1] ?? from;
  for (let place = from; place < to; place += 1) {
    const byte = bytes[place - offset];
    if (byte === undefined || isByteExplained(history, read, place, byte, initialContents)) {
      continue;
    }
    return (
      `byte ${place} was read as ${showBytes(Uint8Array.of(byte))}, ` +
      'which nobody wrote there before the read ended and which it was not filled with'
    );
  }
  const part = showBytes(bytes.subarray(from - offset, to - offset));
  return `bytes ${from} to ${to - 1} were read as ${part}, which mixes writes (or the filling) that cover all of them`;
};

/** The first read with bytes that no write before its end explains, if there is one. */
export const findUnexplained = (
  history: FileHistory,
  initialContents: Uint8Array,
): Unexplained | undefined => {
  const starts = firstStarts(history);
  for (const read of history.entries) {
    if (!read.isRead) continue;
    const at = read.values.findIndex((value) => (starts[value] ?? 0) > read.end);
    if (at === -1) continue;
    const message = explain(history, read, read.firstSegment + at, initialContents);
    return { operation: read.operation, message };
  }
  return undefined;
};

/** The first read that came back with fewer bytes than the file had there, if there is one. */
export const findShortRead = (
  operations: readonly Operation[],
  sizeBytes: number,
): Unexplained | undefined => {
  for (const operation of operations) {
    if (operation.kind !== 'read' || operation.endNs === undefined) continue;
    const { offset, length, bytes } = operation;
    const due = Math.max(0, Math.min(length, sizeBytes - offset));
    if (bytes.length === due) continue;
    return { operation, message: `${bytes.length} bytes were read where ${due} were to be read` };
  }
  return undefined;
};
