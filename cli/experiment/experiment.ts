/** What an experiment is: steps one after the other, and a section of the report, whole or not. */

import type { Profile } from '../../netem/fault.ts';
import { networkUnavailable } from '../cluster_network.ts';
import type { Section } from './report.ts';

export const ENGINES = ['relay', 'tc', 'sim'] as const;
export type Engine = (typeof ENGINES)[number];

export interface Context {
  readonly seed: number;
  readonly quick: boolean;
  /** Undefined: each experiment takes its own. */
  readonly engine: Engine | undefined;
  /** Why this machine cannot have the profile by this engine; undefined if it can. */
  readonly lacking: (profile: Profile) => string | undefined;
  /** A file or a name of a scenario, for the experiments that run one. */
  readonly scenario: string;
  readonly signal: AbortSignal;
}

export interface Step {
  readonly label: string;
  /** How long it takes, about. */
  readonly seconds: number;
  readonly run: () => Promise<void>;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** What is not among the steps because it cannot be had here, and why. */
  readonly leftOut?: readonly string[];
  /** With what there is so far. */
  readonly section: () => Omit<Section, 'name' | 'title' | 'missing'>;
}

export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** Why it cannot be run here, or with this engine; undefined if it can. */
  readonly unavailable: (engine: Engine | undefined) => string | undefined;
  readonly plan: (context: Context) => Plan;
}

/** The profiles that can be had, and for each reason against others a sentence that names them. */
export const possible = (
  profiles: readonly Profile[],
  lacking: Context['lacking'],
): { readonly profiles: readonly Profile[]; readonly leftOut: readonly string[] } => {
  const reasons = new Map(profiles.map((profile) => [profile, lacking(profile)]));
  const namesFor = (reason: string): string =>
    profiles.flatMap((each) => (reasons.get(each) === reason ? [each.name] : [])).join(', ');
  return {
    profiles: profiles.filter((profile) => reasons.get(profile) === undefined),
    leftOut: [...new Set(reasons.values())].flatMap((reason) =>
      reason === undefined ? [] : [`${namesFor(reason)}: ${reason}`],
    ),
  };
};

/** Experiments on clusters of processes: what the other engines would need. */
export const clusterEngine = (engine: Engine | undefined): string | undefined => {
  switch (engine) {
    case undefined:
    case 'relay':
      return undefined;
    case 'tc': {
      const reason = networkUnavailable();
      return reason && `the engine tc needs a network namespace for each node: ${reason}`;
    }
    case 'sim':
      return (
        'the simulator runs no processes, to which the faults of this experiment are done: it has relay and tc; ' +
        'what there is in virtual time is "coopfs experiment survival --engine sim"'
      );
  }
};

/** Experiments that compare with TCP, on a link of their own. */
export const linkEngine = (engine: Engine | undefined): string | undefined => {
  switch (engine) {
    case undefined:
      return undefined;
    case 'relay':
      return 'the engine relay carries the datagrams of rudp, not TCP: leave --engine out, it has a link for all IP packets';
    case 'tc':
      return 'it has a link of its own for all IP packets, which needs no netem in the kernel: leave --engine out';
    case 'sim':
      return 'there is no TCP in the simulator to compare with: leave --engine out, it has a link for all IP packets';
  }
};
