/**
 * What goes wrong in a run: one fault after another, of a kind that chance picks, each counted when it
 * happens. Faults that destroy a memory, or what the disk has, wait until every dirty file is on two nodes again,
 * since only one loss at a time is promised to be survived; the others strike at any moment, recoveries included.
 */

import type { EventQueue } from './event_queue.ts';
import {
  FAULT_KINDS,
  kindOf,
  newStrike,
  type FaultKind,
  type FaultTargets,
} from './fault_kinds.ts';
import type { Prng } from './prng.ts';
import { fail } from './world.ts';

export type FaultCounts = Record<FaultKind, number>;

const FIRST_FAULT_MS = 700;
const MAX_SPACING_MS = 1500;

/** Which faults a run has, and when. */
export interface FaultSchedule {
  readonly faults: number;
  readonly kinds: readonly FaultKind[];
  /** When the first one strikes. */
  readonly firstMs: number;
  /** The least and the greatest time from one to the next; some come later, when the cluster is whole. */
  readonly minSpacingMs: number;
  readonly maxSpacingMs: number;
}

/** Faults of all kinds; with `mayLose` those, too, that destroy two memories together. */
export const faultsOfAllKinds = (faults: number, mayLose: boolean): FaultSchedule => ({
  faults,
  kinds: FAULT_KINDS.filter((kind) => mayLose || kindOf(kind).destroys !== 'two'),
  firstMs: FIRST_FAULT_MS,
  minSpacingMs: 0,
  maxSpacingMs: MAX_SPACING_MS,
});

/** One node after the other is killed, each when the cluster is whole, so far apart at least, and at most twice as far. */
export const killsAlone = (kills: number, spacingMs: number): FaultSchedule => ({
  faults: kills,
  kinds: ['crashes'],
  firstMs: spacingMs,
  minSpacingMs: spacingMs,
  maxSpacingMs: 2 * spacingMs,
});

/** How often the plan looks whether the cluster is whole again. */
const LOOK_MS = 20;
/** The cluster must be whole again within this time, however bad the network is. */
const WHOLE_LIMIT_MS = 60_000;

export class FaultPlan {
  readonly counts = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as FaultCounts;
  readonly #queue: EventQueue;
  readonly #random: Prng;
  readonly #targets: FaultTargets;
  readonly #schedule: FaultSchedule;
  #left: number;
  /** When the last fault so far is over. */
  #overAtMs = 0;

  constructor(queue: EventQueue, random: Prng, targets: FaultTargets, schedule: FaultSchedule) {
    this.#queue = queue;
    this.#random = random;
    this.#targets = targets;
    this.#left = schedule.faults;
    this.#schedule = schedule;
    if (schedule.faults > 0) this.#planNext(schedule.firstMs);
  }

  /** Nothing goes wrong any more. */
  get over(): boolean {
    return this.#left === 0 && this.#queue.now >= this.#overAtMs;
  }

  #planNext(afterMs: number): void {
    const kind = this.#pick();
    this.#queue.after(afterMs, () => {
      this.#strikeWhenDue(kind, this.#queue.now);
    });
  }

  #pick(): FaultKind {
    const { kinds } = this.#schedule;
    let at = this.#random.next() * kinds.reduce((sum, kind) => sum + kindOf(kind).weight, 0);
    for (const kind of kinds) {
      at -= kindOf(kind).weight;
      if (at < 0) return kind;
    }
    return 'crashes';
  }

  #strikeWhenDue(kind: FaultKind, sinceMs: number): void {
    if (kindOf(kind).destroys !== undefined && !this.#targets.isWhole()) {
      if (this.#queue.now > sinceMs + WHOLE_LIMIT_MS) {
        fail(`the cluster is not whole again after ${WHOLE_LIMIT_MS} ms`);
      }
      this.#queue.after(LOOK_MS, () => {
        this.#strikeWhenDue(kind, sinceMs);
      });
      return;
    }
    this.counts[kind]++;
    this.#left--;
    const strike = newStrike(this.#targets, this.#random, (delayMs, action) => {
      this.#queue.after(delayMs, action);
    });
    this.#overAtMs = Math.max(this.#overAtMs, this.#queue.now + kindOf(kind).strike(strike));
    const { minSpacingMs, maxSpacingMs } = this.#schedule;
    const spreadMs = maxSpacingMs - minSpacingMs;
    if (this.#left > 0) this.#planNext(minSpacingMs + this.#random.next() * spreadMs);
  }
}
