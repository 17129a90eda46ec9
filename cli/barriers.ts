/**
 * The barriers of one run. A barrier is met by every set that names it; the n-th time a set reaches
 * a name it meets the others that name it at least n times. A set that ended is waited for no more.
 */

/** Of every set, by node: the barriers it names, in order. */
export type BarrierPlan = ReadonlyMap<string, readonly string[]>;

/** A node that may go on, because its barrier was reached by all, or else never can be. */
export interface Release {
  readonly node: string;
  readonly name: string;
  readonly met: boolean;
}

interface Waiting {
  readonly name: string;
  readonly round: number;
}

export class Barriers {
  /** How often each live node names each barrier in all; a node that ended is gone from here. */
  readonly #rounds = new Map<string, ReadonlyMap<string, number>>();
  readonly #passed = new Map<string, Map<string, number>>();
  readonly #waiting = new Map<string, Waiting>();

  constructor(plan: BarrierPlan) {
    for (const [node, names] of plan) {
      const rounds = new Map<string, number>();
      for (const name of names) rounds.set(name, (rounds.get(name) ?? 0) + 1);
      this.#rounds.set(node, rounds);
      this.#passed.set(node, new Map());
    }
  }

  /** `node` stands at the barrier `name`. */
  arrive(node: string, name: string): Release[] {
    const round = (this.#passed.get(node)?.get(name) ?? 0) + 1;
    this.#passed.get(node)?.set(name, round);
    this.#waiting.set(node, { name, round });
    return this.#release();
  }

  /** The set of `node` is over, whether or not it came to its end. */
  finish(node: string): Release[] {
    this.#rounds.delete(node);
    this.#waiting.delete(node);
    return this.#release();
  }

  #release(): Release[] {
    const met = [...this.#waiting].filter(([, at]) => this.#isMet(at));
    for (const [node] of met) this.#waiting.delete(node);
    if (met.length > 0) return met.map(([node, { name }]) => ({ node, name, met: true }));
    // All that are left wait, each for another's barrier: nobody would ever go on.
    const stuck = this.#waiting.size > 0 && this.#waiting.size === this.#rounds.size;
    if (!stuck) return [];
    const freed = [...this.#waiting].map(([node, { name }]) => ({ node, name, met: false }));
    this.#waiting.clear();
    return freed;
  }

  /** Everybody who takes part in this round of the barrier stands at it, or has passed it. */
  #isMet({ name, round }: Waiting): boolean {
    return [...this.#rounds].every(
      ([node, rounds]) =>
        (rounds.get(name) ?? 0) < round || (this.#passed.get(node)?.get(name) ?? 0) >= round,
    );
  }
}
