/** What a run of the simulator is made of, and what comes of it. */

import type { DegradedPolicy } from '../../fileserver/degraded.ts';
import type { OpenPolicy } from '../../protocol/ids.ts';
import type { SurvivalFigures } from './survival.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly cachers: number;
  readonly applications: number;
  readonly directClients: number;
  readonly files: number;
  readonly blocksPerFile: number;
  readonly pages: number;
  readonly operations: number;
  /** How many times links are broken, losing what is under way. */
  readonly breaks: number;
  readonly openPolicy: OpenPolicy;
  readonly degradedPolicy: DegradedPolicy;
  /** How many files are recovered at a time. */
  readonly recoveriesAtOnce: number;
  /** How many faults there are, of nodes and of links (faults.ts). */
  readonly faults: number;
  /**
   * All faults are kills, one node at a time, so far apart at least, under load that lasts until the cluster is whole
   * after the last one; a profile stays until then, too. Undefined: faults of all kinds.
   */
  readonly killSpacingMs?: number | undefined;
  /** Some faults destroy two memories together. */
  readonly losses: boolean;
  /** The first two cachers never reach each other; over rudp without a profile. */
  readonly apart: boolean;
  /** How long an operation may wait for the cluster. */
  readonly serverWaitMs: number;
  /** How much faster or slower a node's clock may go, 0.1 for 10 %. */
  readonly clockDrift: number;
  /** Each clock is as much faster or slower as it may be, so that margins for drift are used up. */
  readonly clocksAtLimit: boolean;
  /** Of the file server's members; a profile may need more. */
  readonly leaseMs: number;
  /** Messages over rudp and a bad network, or as rudp promises to deliver them (much faster). */
  readonly links: 'rudp' | 'direct';
  /** Over rudp: after how much silence a link is given up. The product's 10 s hardly end within a run. */
  readonly idleTimeoutMs: number;
  /** Over rudp: real encryption instead of checksums (slower). */
  readonly encrypted: boolean;
  /** A profile of netem/profiles.yaml on every link, in place of what follows. */
  readonly profile?: string | undefined;
  /** Probabilities per datagram. */
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly corrupt: number;
}

export interface SimulationResult {
  readonly seed: number;
  /** What is wrong; undefined if nothing is. */
  readonly failure: string | undefined;
  /** FNV-1a of every line of the trace: two runs with one hash did the same. */
  readonly hash: string;
  readonly events: number;
  readonly operations: number;
  readonly virtualMs: number;
  readonly counters: Readonly<Record<string, number>>;
  /** What kills under load did; undefined for runs with faults of all kinds. */
  readonly survival: SurvivalFigures | undefined;
}
