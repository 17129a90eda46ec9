/** Datagrams under way, the earliest first; those of one moment in the order of sending. Pure. */

export interface UnderWay {
  readonly at: number;
  readonly direction: 'out' | 'in';
  readonly peer: string;
  readonly bytes: Uint8Array;
}

interface Entry {
  readonly order: number;
  readonly item: UnderWay;
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.item.at < b.item.at || (a.item.at === b.item.at && a.order < b.order);

export class DeliveryQueue {
  /** A binary heap. */
  readonly #heap: Entry[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  get earliest(): UnderWay | undefined {
    return this.#heap[0]?.item;
  }

  push(item: UnderWay): void {
    const entry = { order: this.#order++, item };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  shift(): UnderWay | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) this.#sink(last);
    return first.item;
  }

  /** Puts `entry` in place of the root, and moves it down to where it belongs. */
  #sink(entry: Entry): void {
    const heap = this.#heap;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      let below = heap[child];
      const right = heap[child + 1];
      if (below !== undefined && right !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (below === undefined || !isBefore(below, entry)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = entry;
  }
}
