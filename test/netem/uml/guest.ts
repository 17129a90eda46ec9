/** Does I/O: what programs inside a User-Mode Linux share: orders from the host's folder, records to its console. */

import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentLink } from '../../../netem/agent_link.ts';
import { planProfile, type Target } from '../../../netem/plan.ts';
import type { Profile } from '../../../netem/fault.ts';
import type { NetemCluster } from '../../../cli/netem_cluster.ts';

/** The folder that the host has made for this run; it can only be read here. */
export const folder = process.argv[2] ?? '';

export const orders = (): unknown => JSON.parse(readFileSync(join(folder, 'orders.json'), 'utf8'));

/** A line for the host, at once. */
export const tell = (record: object): void => {
  writeSync(1, `${JSON.stringify(record)}\n`);
};

/** Longer than a run. */
const LEASE_MS = 600_000;
/** A machine that does other things too may stand still in here for seconds. */
const PATIENCE_MS = 120_000;

/**
 * The agents of a cluster's nodes, started one after the other, and what `coopfs netem apply` and `clear` ask
 * them for. One by one: in User-Mode Linux a node takes a second for what the command waits for all of them.
 */
export class Agents {
  readonly #cluster: NetemCluster;
  readonly #links: readonly AgentLink[];
  #applied = 0;

  static async reach(cluster: NetemCluster): Promise<Agents> {
    const links: AgentLink[] = [];
    for (const { name } of cluster.nodes) links.push(await cluster.dial(name));
    return new Agents(cluster, links);
  }

  private constructor(cluster: NetemCluster, links: readonly AgentLink[]) {
    this.#cluster = cluster;
    this.#links = links;
  }

  async apply(profile: Profile, target: Target): Promise<void> {
    this.#applied += 1;
    const id = `${profile.name}.${this.#applied}`;
    const plan = planProfile(this.#cluster.nodes, profile, target, 1, id);
    for (const link of this.#links) {
      const setting = plan.get(link.node);
      if (setting === undefined) continue;
      await link.ask<'hold'>({ do: 'hold', setting, leaseMs: LEASE_MS }, PATIENCE_MS);
    }
  }

  async clear(): Promise<void> {
    for (const link of this.#links) {
      await link.ask<'clear'>({ do: 'clear', what: 'profile' }, PATIENCE_MS);
    }
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}
