/** Does I/O: what `coopfs netem apply` warns of, by what the nodes tell. */

import { compositionNote } from '../netem/composition.ts';
import { faultOf, type Fault, type Profile } from '../netem/fault.ts';
import type { Dial } from '../netem/holder.ts';
import { leaseWarning } from '../netem/lease_fit.ts';
import type { Plan } from '../netem/plan.ts';
import type { NetemCluster } from './netem_cluster.ts';

/** What to tell somebody who asks for a seed where there is none; undefined if all nodes have one. */
const seedWarning = (seed: number, seedless: readonly string[]): string | undefined =>
  seedless.length === 0
    ? undefined
    : `warning: --seed ${seed} changes nothing at ${seedless.join(', ')}: netem takes a seed from iproute2 6.6 ` +
      'and Linux 6.6 on; every run there loses other datagrams; what can be repeated is --engine relay';

interface NodeState {
  readonly node: string;
  readonly seeded: boolean;
  readonly faults: readonly Fault[];
}

/** Undefined for a node that does not tell: whoever holds the plan says so, and goes on without it. */
const stateOf = async (dial: Dial, node: string): Promise<NodeState | undefined> => {
  const link = await dial(node).catch(() => undefined);
  try {
    const state = await link?.ask<'show'>({ do: 'show' });
    if (state === undefined) return undefined;
    const { seeded, settings } = state;
    const rules = settings.flatMap((each) => each.rules);
    return { node, seeded, faults: rules.map(({ fault }) => fault) };
  } catch {
    return undefined;
  } finally {
    link?.close();
  }
};

/** What is to be known before a profile is applied: lease, seed (if it is asked for), what composing loses. */
export const profileWarnings = async (
  cluster: NetemCluster,
  profile: Profile,
  plan: Plan,
  seed: number | undefined,
): Promise<string[]> => {
  const fault = faultOf(profile, 'up');
  const lease =
    cluster.leaseMs === undefined ? undefined : leaseWarning(profile.name, fault, cluster.leaseMs);
  const asked = await Promise.all([...plan.keys()].map((node) => stateOf(cluster.dial, node)));
  const shown = asked.filter((each) => each !== undefined);
  const notes = shown
    .filter(({ faults }) => faults.length > 0)
    .map(({ faults }) => compositionNote([...faults, fault]));
  const note = notes.find((each) => each !== undefined);
  const seedless = shown.filter(({ seeded }) => !seeded).map(({ node }) => node);
  return [
    lease,
    seed === undefined ? undefined : seedWarning(seed, seedless),
    note === undefined ? undefined : `warning: ${note}`,
  ].filter((each) => each !== undefined);
};
