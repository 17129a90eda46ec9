/** What one command has asked one node for: rules that come and go together. */

import type { Fault } from './fault.ts';

export type Direction = 'out' | 'in';

export interface Rule {
  /** Seen from the node that holds the rule. */
  readonly direction: Direction;
  /** The address at the other end; undefined: all of them. */
  readonly peer: string | undefined;
  readonly fault: Fault;
}

export interface Setting {
  /** Differs from every other command's. */
  readonly id: string;
  readonly kind: 'profile' | 'partition';
  /** For people: "wifi-bad", "n1 | server". */
  readonly label: string;
  /** All chance of the rules follows from it. */
  readonly seed: number;
  readonly rules: readonly Rule[];
}

/** The rules of all settings for one direction and peer, in the order in which they were applied. */
export const rulesFor = (
  settings: readonly Setting[],
  direction: Direction,
  peer: string,
): readonly Rule[] =>
  settings.flatMap(({ rules }) =>
    rules.filter((rule) => rule.direction === direction && isFor(rule, peer)),
  );

const isFor = (rule: Rule, peer: string): boolean => rule.peer === undefined || rule.peer === peer;
