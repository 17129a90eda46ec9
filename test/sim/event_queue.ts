/** Virtual time: what happens next, in order of time and then of being planned. Pure. */

interface Planned {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

const before = (a: Planned, b: Planned): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);

export class EventQueue {
  /** A binary heap, the next event first. */
  readonly #heap: Planned[] = [];
  #sequence = 0;
  now = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Plans `run` for a time that is not past. */
  at(atMs: number, run: () => void): void {
    const planned = { atMs: Math.max(atMs, this.now), sequence: this.#sequence++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(planned);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (before(heap[parent]!, planned)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = planned;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.now + delayMs, run);
  }

  /** Runs the next event; false if there is none. */
  step(): boolean {
    const heap = this.#heap;
    const next = heap[0];
    if (next === undefined) return false;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    this.now = next.atMs;
    next.run();
    return true;
  }

  #sink(planned: Planned): void {
    const heap = this.#heap;
    let index = 0;
    while (true) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(planned, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = planned;
  }
}
