/**
 * A set of numbers as ascending, disjoint, half-open ranges [start, end). It holds packet numbers
 * received, bytes of a message present, messages delivered: all sets whose numbers mostly come in
 * order, so that the last range is looked at first.
 */
export class RangeSet {
  /** start, end, start, end, … */
  readonly #bounds: number[] = [];

  /** How many ranges the set consists of. */
  get count(): number {
    return this.#bounds.length >>> 1;
  }

  startOf(index: number): number {
    return this.#bounds[index * 2] ?? 0;
  }

  endOf(index: number): number {
    return this.#bounds[index * 2 + 1] ?? 0;
  }

  /** Adds [start, end); answers how many of its numbers were not in the set before. */
  add(start: number, end: number): number {
    if (end <= start) return 0;
    const bounds = this.#bounds;
    const last = bounds.length - 1;
    if (last < 0 || start > (bounds[last] ?? 0)) {
      bounds.push(start, end);
      return end - start;
    }
    if (start === bounds[last]) {
      bounds[last] = end;
      return end - start;
    }
    return this.#merge(start, end);
  }

  #merge(start: number, end: number): number {
    const bounds = this.#bounds;
    const first = this.#firstEndingAtOrAfter(start);
    let after = first;
    let mergedStart = start;
    let mergedEnd = end;
    let present = 0;
    while (after < bounds.length && (bounds[after] ?? 0) <= end) {
      const oldStart = bounds[after] ?? 0;
      const oldEnd = bounds[after + 1] ?? 0;
      present += Math.max(0, Math.min(oldEnd, end) - Math.max(oldStart, start));
      mergedStart = Math.min(mergedStart, oldStart);
      mergedEnd = Math.max(mergedEnd, oldEnd);
      after += 2;
    }
    if (after === first + 2) {
      bounds[first] = mergedStart;
      bounds[first + 1] = mergedEnd;
    } else {
      bounds.splice(first, after - first, mergedStart, mergedEnd);
    }
    return end - start - present;
  }

  /** The position in `#bounds` of the first range whose end is at or after `value`. */
  #firstEndingAtOrAfter(value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.endOf(middle) < value) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }

  has(value: number): boolean {
    return this.covers(value, value + 1);
  }

  /** True if every number of [start, end) is in the set. */
  covers(start: number, end: number): boolean {
    if (end <= start) return true;
    const at = this.#firstEndingAtOrAfter(start + 1);
    return (
      at < this.#bounds.length && (this.#bounds[at] ?? 0) <= start && this.endOf(at / 2) >= end
    );
  }

  /** Takes every number below `value` out of the set. */
  removeBelow(value: number): void {
    const bounds = this.#bounds;
    let drop = 0;
    while (drop < bounds.length && (bounds[drop + 1] ?? 0) <= value) drop += 2;
    if (drop > 0) bounds.splice(0, drop);
    const start = bounds[0];
    if (start !== undefined && start < value) bounds[0] = value;
  }

  /** Takes out the lowest range; answers where it ended, undefined if the set is empty. */
  removeLowest(): number | undefined {
    return this.#bounds.splice(0, 2)[1];
  }
}
