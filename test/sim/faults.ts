/**
 * What goes wrong in a run: one fault after another, of a kind that chance picks, each counted when it
 * happens. Faults that destroy a memory, or what the disk has, wait until every dirty file is on two nodes again,
 * since only one loss at a time is promised to be survived; the others strike at any moment, recoveries included.
 */

import type { EventQueue } from './event_queue.ts';
import type { Prng } from './prng.ts';
import { fail } from './world.ts';

/** What a run lets happen to its nodes. Places are the cachers', from 0. */
export interface FaultTargets {
  readonly cachers: number;
  /** The process dies with its memory; it is started again after `downMs`. */
  readonly crashCacher: (place: number, downMs: number) => void;
  /** An operator says that the node does not come back; the server may refuse that. */
  readonly forget: (place: number) => void;
  readonly crashServer: (downMs: number) => void;
  /** The process stands still, as on SIGSTOP. */
  readonly pauseCacher: (place: number, forMs: number) => void;
  readonly pauseServer: (forMs: number) => void;
  /** Reads and syncs of the disk take that long. */
  readonly slowDisk: (forMs: number) => void;
  /** Datagrams of a node to all others are lost, those to it, or both. */
  readonly cutOff: (place: number, direction: Direction, forMs: number) => void;
  /** A bit flips in a data block of the disk; what is not written anew within `forMs` is good again then. */
  readonly flipBit: (forMs: number) => void;
  /** Every node is up and registered, and every dirty file is on two nodes or on the disk, which is sound. */
  readonly isWhole: () => boolean;
}

export type Direction = 'from' | 'to' | 'both';

const newCounts = () => ({
  crashes: 0,
  pauses: 0,
  partitions: 0,
  oneWayPartitions: 0,
  pairsCutOff: 0,
  serverCrashes: 0,
  serverCrashesUnheard: 0,
  serverPauses: 0,
  slowDisks: 0,
  crashesWithServer: 0,
  crashesOfTwo: 0,
  forgotten: 0,
  flippedBits: 0,
});

export type FaultCounts = ReturnType<typeof newCounts>;
export type FaultKind = keyof FaultCounts;

export const FAULT_KINDS: readonly string[] = Object.keys(newCounts());

/** How often each kind is picked, relative to the others. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  crashes: 8,
  pauses: 4,
  partitions: 3,
  oneWayPartitions: 3,
  pairsCutOff: 2,
  serverCrashes: 4,
  serverCrashesUnheard: 3,
  serverPauses: 2,
  slowDisks: 4,
  crashesWithServer: 1,
  crashesOfTwo: 4,
  forgotten: 3,
  flippedBits: 4,
};

/** Kinds that destroy what a cacher has in its memory, or the disk has. */
const DESTRUCTIVE: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'crashes',
  'crashesWithServer',
  'crashesOfTwo',
  'forgotten',
  'flippedBits',
]);
/** Kinds that destroy two memories together: what only they had may be lost, but never silently. */
const LOSING: ReadonlySet<FaultKind> = new Set<FaultKind>(['crashesOfTwo', 'forgotten']);

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
  kinds: (Object.keys(WEIGHTS) as FaultKind[]).filter((kind) => mayLose || !LOSING.has(kind)),
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
const MAX_DOWN_MS = 1500;
/** A server that is back within a lease, and for how long one cacher does not hear of it, as it may go on with its own. */
const MAX_SHORT_DOWN_MS = 200;
const UNHEARD_MS = 1500;
const LEAST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1500;
const MAX_CUT_MS = 3000;
/** An operator gives nodes up when their leases are over. */
const FORGOTTEN_AFTER_MS = 1500;
const FORGOTTEN_DOWN_MS = 3000;
/** How often the plan looks whether the cluster is whole again. */
const LOOK_MS = 20;
/** The cluster must be whole again within this time, however bad the network is. */
const WHOLE_LIMIT_MS = 60_000;

export class FaultPlan {
  readonly counts = newCounts();
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
    let at = this.#random.next() * kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
    for (const kind of kinds) {
      at -= WEIGHTS[kind];
      if (at < 0) return kind;
    }
    return 'crashes';
  }

  #strikeWhenDue(kind: FaultKind, sinceMs: number): void {
    if (DESTRUCTIVE.has(kind) && !this.#targets.isWhole()) {
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
    this.#overAtMs = Math.max(this.#overAtMs, this.#queue.now + this.#strike(kind));
    const { minSpacingMs, maxSpacingMs } = this.#schedule;
    const spreadMs = maxSpacingMs - minSpacingMs;
    if (this.#left > 0) this.#planNext(minSpacingMs + this.#random.next() * spreadMs);
  }

  /** Carries a fault out; returns how long it lasts. */
  #strike(kind: FaultKind): number {
    const targets = this.#targets;
    const { cachers } = targets;
    const place = this.#random.below(cachers);
    const downMs = this.#random.next() * MAX_DOWN_MS;
    const pauseMs = LEAST_PAUSE_MS + this.#random.next() * MAX_PAUSE_MS;
    const cutMs = this.#random.next() * MAX_CUT_MS;
    switch (kind) {
      case 'crashes':
        targets.crashCacher(place, downMs);
        return downMs;
      case 'crashesWithServer': {
        const serverDownMs = this.#random.next() * MAX_DOWN_MS;
        targets.crashCacher(place, downMs);
        targets.crashServer(serverDownMs);
        return Math.max(downMs, serverDownMs);
      }
      case 'crashesOfTwo':
        targets.crashCacher(place, downMs);
        targets.crashCacher((place + 1) % cachers, downMs);
        return downMs;
      case 'forgotten': {
        const both = [place, (place + 1) % cachers];
        for (const each of both) targets.crashCacher(each, FORGOTTEN_DOWN_MS);
        this.#queue.after(FORGOTTEN_AFTER_MS, () => {
          for (const each of both) targets.forget(each);
        });
        return FORGOTTEN_DOWN_MS;
      }
      case 'serverCrashes':
        targets.crashServer(downMs);
        return downMs;
      case 'serverCrashesUnheard': {
        const shortMs = this.#random.next() * MAX_SHORT_DOWN_MS;
        targets.cutOff(place, 'both', UNHEARD_MS);
        targets.crashServer(shortMs);
        return UNHEARD_MS;
      }
      case 'pauses':
        targets.pauseCacher(place, pauseMs);
        return pauseMs;
      case 'serverPauses':
        targets.pauseServer(pauseMs);
        return pauseMs;
      case 'slowDisks':
        targets.slowDisk(pauseMs);
        return pauseMs;
      case 'partitions':
        targets.cutOff(place, 'both', cutMs);
        return cutMs;
      case 'oneWayPartitions':
        targets.cutOff(place, this.#random.chance(0.5) ? 'from' : 'to', cutMs);
        return cutMs;
      case 'pairsCutOff':
        targets.cutOff(place, 'both', cutMs);
        targets.cutOff((place + 1) % cachers, 'both', cutMs);
        return cutMs;
      case 'flippedBits':
        targets.flipBit(cutMs);
        return cutMs;
      default:
        return kind satisfies never;
    }
  }
}
