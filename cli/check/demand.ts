/**
 * Which operations that are not yet in line still need a value, or still bring it. Pure. The search
 * takes operations roughly in the order of time and takes few back, so that for each value a mark
 * before which all are in line answers at once.
 */

import type { Entry } from './file_history.ts';

export const NOBODY = -1;

/** For each value the operations that have it, in one order for all. */
class Occurrences {
  readonly #firsts: Int32Array;
  readonly #operations: Int32Array;
  readonly #marks: Int32Array;
  readonly #rank: Int32Array;

  /** `order` names the operations, as indices of `entries`. */
  constructor(entries: readonly Entry[], order: readonly number[], valueCount: number) {
    this.#firsts = new Int32Array(valueCount + 1);
    for (const index of order) {
      for (const value of entries[index]?.values ?? []) {
        this.#firsts[value + 1] = (this.#firsts[value + 1] ?? 0) + 1;
      }
    }
    for (let value = 0; value < valueCount; value += 1) {
      this.#firsts[value + 1] = (this.#firsts[value + 1] ?? 0) + (this.#firsts[value] ?? 0);
    }
    this.#marks = this.#firsts.slice(0, valueCount);
    this.#operations = new Int32Array(this.#firsts[valueCount] ?? 0);
    this.#rank = new Int32Array(entries.length);
    order.forEach((index, rank) => {
      this.#rank[index] = rank;
      for (const value of entries[index]?.values ?? []) {
        const place = this.#marks[value] ?? 0;
        this.#operations[place] = index;
        this.#marks[value] = place + 1;
      }
    });
    this.#marks.set(this.#firsts.subarray(0, valueCount));
  }

  /** The first operation with `value` that is not in line, or NOBODY. */
  first(value: number, inLine: Uint8Array): number {
    const end = this.#firsts[value + 1] ?? 0;
    let mark = this.#marks[value] ?? end;
    while (mark < end && inLine[this.#operations[mark] ?? 0] === 1) mark += 1;
    this.#marks[value] = mark;
    return mark < end ? (this.#operations[mark] ?? NOBODY) : NOBODY;
  }

  /** The operations with `value` that are not in line, as long as `accept` does not end it. */
  find(value: number, inLine: Uint8Array, accept: (index: number) => boolean): void {
    if (this.first(value, inLine) === NOBODY) return;
    const end = this.#firsts[value + 1] ?? 0;
    for (let mark = this.#marks[value] ?? end; mark < end; mark += 1) {
      const index = this.#operations[mark] ?? 0;
      if (inLine[index] === 0 && accept(index)) return;
    }
  }

  /** An operation has left the line: the mark of `value` may not be behind it. */
  giveBack(value: number, index: number): void {
    const rank = this.#rank[index] ?? 0;
    let low = this.#firsts[value] ?? 0;
    let high = this.#marks[value] ?? 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#rank[this.#operations[middle] ?? 0] ?? 0) < rank) low = middle + 1;
      else high = middle;
    }
    this.#marks[value] = low;
  }
}

/** True if a read saw all that a write wrote where both are. */
const agree = (write: Entry, read: Entry): boolean => {
  const first = Math.max(write.firstSegment, read.firstSegment);
  const last = Math.min(
    write.firstSegment + write.values.length,
    read.firstSegment + read.values.length,
  );
  for (let segment = first; segment < last; segment += 1) {
    const written = write.values[segment - write.firstSegment];
    if (written !== read.values[segment - read.firstSegment]) return false;
  }
  return true;
};

export class Demand {
  readonly #strict: boolean;
  readonly #entries: readonly Entry[];
  readonly #inLine: Uint8Array;
  readonly #reads: Occurrences;
  readonly #writes: Occurrences;

  /**
   * `inLine` is 1 for an operation in line; the caller keeps it. If `strict`, a write counts for a
   * read only where the read saw all of it: often so, but not always.
   */
  constructor(entries: readonly Entry[], valueCount: number, inLine: Uint8Array, strict: boolean) {
    this.#strict = strict;
    this.#entries = entries;
    this.#inLine = inLine;
    const endOf = (index: number): number => entries[index]?.end ?? 0;
    const all = [...entries.keys()];
    const reads = all.filter((index) => entries[index]?.isRead === true);
    const writes = all.filter((index) => entries[index]?.isRead === false);
    reads.sort((a, b) => endOf(a) - endOf(b));
    this.#reads = new Occurrences(entries, reads, valueCount);
    this.#writes = new Occurrences(entries, writes, valueCount);
  }

  /** True if some read is still to see `value`. */
  isNeeded(value: number): boolean {
    return this.#reads.first(value, this.#inLine) !== NOBODY;
  }

  /** True if `value`, once it is gone, could not come back before a read that is to see it ends. */
  isIrreplaceable(value: number): boolean {
    const read = this.#entries[this.#reads.first(value, this.#inLine)];
    return read !== undefined && !this.hasSupply(value, read);
  }

  /** True if a write of `value` that is not in line may come before `read`. */
  hasSupply(value: number, read: Entry): boolean {
    let supplied = false;
    this.#writes.find(value, this.#inLine, (index) => {
      const write = this.#entries[index];
      if (write === undefined || write.start > read.end) return true;
      supplied = !this.#strict || agree(write, read);
      return supplied;
    });
    return supplied;
  }

  /** True if some read may be to see something of `write`. */
  isOfUse(write: Entry): boolean {
    return write.values.some((value) => {
      const read = this.#entries[this.#reads.first(value, this.#inLine)];
      return read !== undefined && (!this.#strict || agree(write, read));
    });
  }

  /** An operation has left the line. */
  giveBack(index: number): void {
    const entry = this.#entries[index];
    if (entry === undefined) return;
    const occurrences = entry.isRead ? this.#reads : this.#writes;
    for (const value of entry.values) occurrences.giveBack(value, index);
  }
}
