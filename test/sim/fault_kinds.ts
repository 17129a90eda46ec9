/** The kinds of faults: how often each is picked, what it destroys, and what it does to the nodes of a run. */

import type { Prng } from './prng.ts';

/** What a run lets happen to its nodes. Places are the cachers', from 0. */
export interface FaultTargets {
  readonly cachers: number;
  /** Of the run; the server may give others. */
  readonly leaseMs: number;
  /** The process dies with its memory; it is started again after `downMs`. */
  readonly crashCacher: (place: number, downMs: number) => void;
  /** The node stops in order, which may take a while, and is started again `downMs` after that. */
  readonly leave: (place: number, downMs: number) => void;
  /** An operator says that the node does not come back; the server may refuse that. */
  readonly forget: (place: number) => void;
  /** Until it crashes again the server gives leases of so many times the run's; of as long ones by default. */
  readonly crashServer: (downMs: number, leaseShare?: number) => void;
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

/** One fault: where it strikes, and how long what may be a part of it lasts. */
export interface Strike {
  readonly targets: FaultTargets;
  readonly random: Prng;
  /** Does something that much later. */
  readonly after: (delayMs: number, action: () => void) => void;
  readonly place: number;
  readonly neighbour: number;
  readonly downMs: number;
  readonly pauseMs: number;
  readonly cutMs: number;
}

interface Kind {
  /** How often it is picked, relative to the others. */
  readonly weight: number;
  /**
   * What a cacher has in its memory, or the disk has; or two memories together: what only they had may be lost, but
   * never silently. Undefined: nothing.
   */
  readonly destroys?: 'one' | 'two';
  /** Carries it out; returns how long it lasts. */
  readonly strike: (strike: Strike) => number;
}

const MAX_DOWN_MS = 1500;
/** A server that is back within a lease, and for how long one cacher does not hear of it, as it may go on with its own. */
const MAX_SHORT_DOWN_MS = 200;
const UNHEARD_MS = 1500;
/** Longer than a doubled lease by a slow clock. */
const UNHEARD_LEASES = 3;
/** Some time in the quiet time of a server that is back, or soon after it. */
const MAX_QUIET_MS = 800;
/** So much later, after the quiet time, every node has a lease as the server gives it now. */
const NEW_LEASE_MS = 2000;
const NEW_LEASE_LEASES = 2;
/** A node that leaves has until then seen to what it had together with one that has crashed, or not. */
const MAX_LEAVE_DELAY_MS = 900;
/** An operator gives nodes up when their leases are over. */
const FORGOTTEN_AFTER_MS = 1500;
const FORGOTTEN_DOWN_MS = 3000;

const unheardMs = ({ targets }: Strike): number =>
  Math.max(UNHEARD_MS, UNHEARD_LEASES * targets.leaseMs);

/** The server is back within a lease; with `unheard` one cacher does not hear of it. */
const crashServerShortly = (strike: Strike, unheard: boolean, leaseShare?: number): void => {
  const { targets, random, place } = strike;
  const downMs = random.next() * MAX_SHORT_DOWN_MS;
  if (unheard) targets.cutOff(place, 'both', unheardMs(strike));
  targets.crashServer(downMs, leaseShare);
};

/** The server is back within a lease, and something happens to it in its quiet time. */
const strikeInQuiet = (strike: Strike, again: () => void): number => {
  crashServerShortly(strike, strike.random.chance(0.5));
  strike.after(strike.random.next() * MAX_QUIET_MS, again);
  return unheardMs(strike) + MAX_QUIET_MS;
};

const KINDS = {
  crashes: {
    weight: 8,
    destroys: 'one',
    strike: ({ targets, place, downMs }) => {
      targets.crashCacher(place, downMs);
      return downMs;
    },
  },
  leaves: {
    weight: 4,
    strike: ({ targets, place, downMs }) => {
      targets.leave(place, downMs);
      return downMs;
    },
  },
  leavesAndCrashes: {
    weight: 4,
    destroys: 'one',
    strike: ({ targets, random, after, place, neighbour, downMs }) => {
      targets.crashCacher(place, downMs);
      after(random.next() * MAX_LEAVE_DELAY_MS, () => {
        targets.leave(neighbour, downMs);
      });
      return MAX_LEAVE_DELAY_MS + downMs;
    },
  },
  crashesWithServer: {
    weight: 1,
    destroys: 'one',
    strike: ({ targets, random, place, downMs }) => {
      const serverDownMs = random.next() * MAX_DOWN_MS;
      targets.crashCacher(place, downMs);
      targets.crashServer(serverDownMs);
      return Math.max(downMs, serverDownMs);
    },
  },
  crashesOfTwo: {
    weight: 4,
    destroys: 'two',
    strike: ({ targets, place, neighbour, downMs }) => {
      targets.crashCacher(place, downMs);
      targets.crashCacher(neighbour, downMs);
      return downMs;
    },
  },
  forgotten: {
    weight: 3,
    destroys: 'two',
    strike: ({ targets, after, place, neighbour }) => {
      const both = [place, neighbour];
      for (const each of both) targets.crashCacher(each, FORGOTTEN_DOWN_MS);
      after(FORGOTTEN_AFTER_MS, () => {
        for (const each of both) targets.forget(each);
      });
      return FORGOTTEN_DOWN_MS;
    },
  },
  pauses: {
    weight: 4,
    strike: ({ targets, place, pauseMs }) => {
      targets.pauseCacher(place, pauseMs);
      return pauseMs;
    },
  },
  serverCrashes: {
    weight: 4,
    strike: ({ targets, downMs }) => {
      targets.crashServer(downMs);
      return downMs;
    },
  },
  serverCrashesUnheard: {
    weight: 3,
    strike: (strike) => {
      crashServerShortly(strike, true);
      return unheardMs(strike);
    },
  },
  /** All have leases of one length, and one of them does not hear that it is another one then, a quarter or four times. */
  serverLeases: {
    weight: 3,
    strike: (strike) => {
      const [first, second] = strike.random.chance(0.5) ? [2, 0.5] : [0.5, 2];
      crashServerShortly(strike, false, first);
      const laterMs = Math.max(NEW_LEASE_MS, NEW_LEASE_LEASES * strike.targets.leaseMs);
      strike.after(laterMs, () => {
        crashServerShortly(strike, true, second);
      });
      return laterMs + unheardMs(strike);
    },
  },
  serverCrashesTwice: {
    weight: 3,
    strike: (strike) =>
      strikeInQuiet(strike, () => {
        crashServerShortly(strike, false);
      }),
  },
  serverPauses: {
    weight: 2,
    strike: ({ targets, pauseMs }) => {
      targets.pauseServer(pauseMs);
      return pauseMs;
    },
  },
  serverPausesQuiet: {
    weight: 3,
    strike: (strike) =>
      strike.pauseMs +
      strikeInQuiet(strike, () => {
        strike.targets.pauseServer(strike.pauseMs);
      }),
  },
  slowDisks: {
    weight: 4,
    strike: ({ targets, pauseMs }) => {
      targets.slowDisk(pauseMs);
      return pauseMs;
    },
  },
  partitions: {
    weight: 3,
    strike: ({ targets, place, cutMs }) => {
      targets.cutOff(place, 'both', cutMs);
      return cutMs;
    },
  },
  oneWayPartitions: {
    weight: 3,
    strike: ({ targets, random, place, cutMs }) => {
      targets.cutOff(place, random.chance(0.5) ? 'from' : 'to', cutMs);
      return cutMs;
    },
  },
  pairsCutOff: {
    weight: 2,
    strike: ({ targets, place, neighbour, cutMs }) => {
      targets.cutOff(place, 'both', cutMs);
      targets.cutOff(neighbour, 'both', cutMs);
      return cutMs;
    },
  },
  flippedBits: {
    weight: 4,
    destroys: 'one',
    strike: ({ targets, cutMs }) => {
      targets.flipBit(cutMs);
      return cutMs;
    },
  },
} satisfies Readonly<Record<string, Kind>>;

export type FaultKind = keyof typeof KINDS;

export const FAULT_KINDS = Object.keys(KINDS) as readonly FaultKind[];

export const kindOf = (kind: FaultKind): Kind => KINDS[kind];

const LEAST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1500;
const MAX_CUT_MS = 3000;

/** A place and durations by chance. */
export const newStrike = (targets: FaultTargets, random: Prng, after: Strike['after']): Strike => {
  const place = random.below(targets.cachers);
  return {
    targets,
    random,
    after,
    place,
    neighbour: (place + 1) % targets.cachers,
    downMs: random.next() * MAX_DOWN_MS,
    pauseMs: LEAST_PAUSE_MS + random.next() * MAX_PAUSE_MS,
    cutMs: random.next() * MAX_CUT_MS,
  };
};
