/** What an experiment is: steps one after the other, and a section of the report, whole or not. */

import type { Section } from './report.ts';

export const ENGINES = ['relay', 'tc', 'sim'] as const;
export type Engine = (typeof ENGINES)[number];

export interface Context {
  readonly seed: number;
  readonly quick: boolean;
  /** Undefined: each experiment takes its own. */
  readonly engine: Engine | undefined;
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

/** Experiments on clusters of processes: what the other engines would need. */
export const clusterEngine = (engine: Engine | undefined): string | undefined => {
  switch (engine) {
    case undefined:
    case 'relay':
      return undefined;
    case 'tc':
      return (
        'the engine tc needs a network namespace for each node, and the processes of this experiment share ' +
        'one: it has relay only; for containers and namespaces there is "coopfs netem apply --engine tc"'
      );
    case 'sim':
      return (
        'the simulator runs no processes, so that nothing of it can be measured in real time: ' +
        'it has relay only; "npm run sim -- --profile NAME" checks the same in virtual time'
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
