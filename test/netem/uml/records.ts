/** What the host orders of the programs inside User-Mode Linux, and what they tell it. */

import type { Errand } from './errand.ts';
import type { Counted, Timed } from './probe.ts';

export const CACHERS = ['n1', 'n2'] as const;
export const NODES = ['server', ...CACHERS] as const;

/** What came of a profile. */
export interface ProfileRecord {
  readonly profile: string;
  readonly target: 'all' | 'node';
  /** Round trips before it was applied; datagrams and round trips while it was. */
  readonly measured?: {
    readonly bare: readonly Timed[];
    readonly counted: readonly Counted[];
    readonly timed: readonly Timed[];
  };
  /** Of qdiscs and devices, after it was cleared. */
  readonly leftovers?: readonly string[];
  readonly failure?: string;
}

/** What came of the daemons. */
export interface DaemonRecord {
  /** Of `coopfs run --check`. */
  readonly run?: { readonly status: number; readonly out: string; readonly err: string };
  /** What the kernel's netem had of datagrams, and how many of them it lost. */
  readonly sent?: number;
  readonly dropped?: number;
  /** With which status each daemon ended. */
  readonly stopped?: readonly number[];
  readonly leftovers?: readonly string[];
}

/** For `test/netem/uml/profiles_main.ts`. */
export interface ProfileOrders {
  /** With nothing applied. */
  readonly bare: Errand;
  /** With a profile on every link. */
  readonly everyLink: readonly Errand[];
  /** With a profile on what n1 sends and gets. */
  readonly oneNode: Errand;
}

/** For `test/netem/uml/daemons_main.ts`. */
export interface DaemonOrders {
  readonly profile: string;
}
