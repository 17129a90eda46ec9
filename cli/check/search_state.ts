/**
 * Where the search stands: which operations have been put in line, what the file holds then, and
 * what the others still need. Every step can be taken back. Pure.
 */

import { Demand } from './demand.ts';
import { NEVER, type FileHistory } from './file_history.ts';

/** Numbers that look random, one for each value: the final mix of MurmurHash3. */
const mix = (value: number, seed: number): number => {
  let hash = Math.imul(value + seed, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
};

const FIRST_SEED = 0x2545f491;
const SECOND_SEED = 0x51ed270b;

export class SearchState {
  readonly #history: FileHistory;
  readonly #head: number;
  /** The operations not yet in line, linked in the order of their starts; `#head` is both ends. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #contents: Int32Array;
  readonly #inLine: Uint8Array;
  readonly #demand: Demand;
  /** How many operations that were answered are not yet in line. */
  #remaining = 0;
  #last = -1;
  #firstHash = 0;
  #secondHash = 0;
  readonly #line: number[] = [];
  readonly #lastBefore: number[] = [];
  readonly #overwritten: number[] = [];

  /**
   * A strict state gives a line up where it could go on only if a later write covered part of one
   * that a read is to see: what it finds is right, but it may find nothing where there is an order.
   */
  constructor(history: FileHistory, strict: boolean) {
    this.#history = history;
    const count = history.entries.length;
    this.#head = count;
    this.#next = Int32Array.from({ length: count + 1 }, (_, index) => (index + 1) % (count + 1));
    this.#previous = Int32Array.from(
      { length: count + 1 },
      (_, index) => (index + count) % (count + 1),
    );
    this.#contents = history.initial.slice();
    this.#inLine = new Uint8Array(count);
    this.#demand = new Demand(history.entries, history.valueCount, this.#inLine, strict);
    this.#remaining = history.entries.filter(({ end }) => end !== NEVER).length;
  }

  /** Every operation that was answered is in line. */
  get complete(): boolean {
    return this.#remaining === 0;
  }

  /** How many operations are in line. */
  get depth(): number {
    return this.#line.length;
  }

  /** The operations that may come next: those that started before any other of them ended. */
  enabled(): number[] {
    const { entries } = this.#history;
    const enabled: number[] = [];
    let firstEnd = NEVER;
    for (let index = this.#first(); index !== this.#head; index = this.#next[index] ?? this.#head) {
      const entry = entries[index];
      if (entry === undefined || entry.start > firstEnd) break;
      if (entry.end < firstEnd) firstEnd = entry.end;
      enabled.push(index);
    }
    return enabled;
  }

  /**
   * Puts in line what may come now without loss: a read that sees what the file holds, and a write
   * that no read needs over contents that no read needs. If there is an order that begins as the
   * line does, there is one that goes on with such an operation: moved to here from its later place
   * it takes nothing from any other.
   */
  takeWhatIsFree(): void {
    let taken = true;
    while (taken) {
      taken = false;
      let firstEnd = NEVER;
      for (let index = this.#first(); index !== this.#head;) {
        const entry = this.#history.entries[index];
        if (entry === undefined || entry.start > firstEnd) break;
        const following = this.#next[index] ?? this.#head;
        if (this.#isFree(index)) {
          this.take(index);
          taken = true;
        } else if (entry.end < firstEnd) firstEnd = entry.end;
        index = following;
      }
    }
  }

  /** True if a read must come before anything that supplies it: this line cannot be completed. */
  isHopeless(enabled: readonly number[]): boolean {
    return enabled.some((index) => this.#lacksSupply(index));
  }

  /** True if a write may be tried next: it may be of use, and buries nothing that is still needed. */
  isWorthTrying(index: number): boolean {
    const entry = this.#history.entries[index];
    if (entry === undefined || entry.isRead) return false;
    const { values, firstSegment, end } = entry;
    if (end === NEVER && !this.#demand.isOfUse(entry)) return false;
    for (let at = 0; at < values.length; at += 1) {
      const old = this.#contents[firstSegment + at] ?? 0;
      if (old !== values[at] && this.#demand.isIrreplaceable(old)) return false;
    }
    return true;
  }

  /** Puts an operation in line. */
  take(index: number): void {
    const entry = this.#history.entries[index];
    if (entry === undefined) return;
    const previous = this.#previous[index] ?? this.#head;
    const next = this.#next[index] ?? this.#head;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#line.push(index);
    this.#lastBefore.push(this.#last);
    if (index > this.#last) this.#last = index;
    if (entry.end !== NEVER) this.#remaining -= 1;
    this.#inLine[index] = 1;
    if (entry.isRead) return;
    for (let at = 0; at < entry.values.length; at += 1) {
      this.#overwritten.push(this.#contents[entry.firstSegment + at] ?? 0);
      this.#hold(entry.firstSegment + at, entry.values[at] ?? 0);
    }
  }

  /** Takes back all but the first `depth` operations of the line. */
  takeBackTo(depth: number): void {
    while (this.#line.length > depth) this.#takeBack();
  }

  /**
   * What the line has come to, whatever its order: which operations are in it, and what the file
   * holds, by 64 bits of hash: among a million contents, two are confused once in 2^25 searches.
   */
  key(): string {
    let key = `${this.#firstHash},${this.#secondHash},${this.#last}`;
    for (let index = this.#first(); index < this.#last; index = this.#next[index] ?? this.#head) {
      key += `,${index}`;
    }
    return key;
  }

  #first(): number {
    return this.#next[this.#head] ?? this.#head;
  }

  #hold(segment: number, value: number): void {
    const old = this.#contents[segment] ?? 0;
    if (old === value) return;
    this.#firstHash = (this.#firstHash - mix(old, FIRST_SEED) + mix(value, FIRST_SEED)) | 0;
    this.#secondHash = (this.#secondHash - mix(old, SECOND_SEED) + mix(value, SECOND_SEED)) | 0;
    this.#contents[segment] = value;
  }

  #takeBack(): void {
    const index = this.#line.pop() ?? 0;
    const entry = this.#history.entries[index];
    if (entry === undefined) return;
    this.#last = this.#lastBefore.pop() ?? -1;
    if (entry.end !== NEVER) this.#remaining += 1;
    this.#inLine[index] = 0;
    this.#demand.giveBack(index);
    for (let at = entry.values.length - 1; at >= 0 && !entry.isRead; at -= 1) {
      this.#hold(entry.firstSegment + at, this.#overwritten.pop() ?? 0);
    }
    this.#next[this.#previous[index] ?? this.#head] = index;
    this.#previous[this.#next[index] ?? this.#head] = index;
  }

  #isFree(index: number): boolean {
    const entry = this.#history.entries[index];
    if (entry === undefined) return false;
    const { values, firstSegment, isRead, end } = entry;
    if (end === NEVER) return false;
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at] ?? 0;
      const old = this.#contents[firstSegment + at] ?? 0;
      if (isRead && old !== value) return false;
      if (!isRead && this.#demand.isNeeded(value)) return false;
      if (!isRead && old !== value && this.#demand.isNeeded(old)) return false;
    }
    return true;
  }

  /** True for a read of something that no write that may precede it brings. */
  #lacksSupply(reader: number): boolean {
    const read = this.#history.entries[reader];
    if (read?.isRead !== true) return false;
    const { values, firstSegment } = read;
    const at = values.findIndex((value, i) => this.#contents[firstSegment + i] !== value);
    return at !== -1 && !this.#demand.hasSupply(values[at] ?? 0, read);
  }
}
