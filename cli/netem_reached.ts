/** Does I/O: the agents of a cluster that answer: what they hold, and its end. */

import type { AgentLink } from '../netem/agent_link.ts';
import type { Answer } from '../netem/agent_protocol.ts';
import { composeAll } from '../netem/composition.ts';
import type { Fault } from '../netem/fault.ts';
import type { NetemNode } from '../netem/plan.ts';
import { rulesFor, type Direction, type Rule } from '../netem/setting.ts';
import { messageOf } from '../protocol/errors.ts';
import type { ClusterAgents, NetemCluster } from './netem_cluster.ts';

/** An agent that answers. In containers a node may have one of each engine. */
export interface Reached {
  readonly cluster: NetemCluster;
  readonly node: NetemNode;
  readonly link: AgentLink;
  readonly settings: Answer<'show'>['settings'];
}

/** "n1 is not reached: …", a line for each agent that has not done what it was asked for. */
type Missed = readonly string[];

const reach = async (cluster: NetemCluster, node: NetemNode): Promise<Reached> => {
  const link = await cluster.dial(node.name);
  try {
    return { cluster, node, link, settings: (await link.ask<'show'>({ do: 'show' })).settings };
  } catch (error) {
    link.close();
    throw error;
  }
};

/** All agents that answer, each engine's together, and who does not. */
export const reachAll = async (
  agents: ClusterAgents,
): Promise<{ readonly reached: readonly Reached[]; readonly missed: Missed }> => {
  const missed: string[] = [];
  const asked = agents.flatMap(({ cluster, names }) =>
    cluster.nodes
      .filter(({ name }) => names.includes(name))
      .map((node) =>
        reach(cluster, node).catch((error: unknown) => {
          missed.push(`${node.name} is not reached: ${messageOf(error)}`);
          return undefined;
        }),
      ),
  );
  const answers = await Promise.all(asked);
  return { reached: answers.filter((each) => each !== undefined), missed };
};

/** The rules of a node for one direction of its link with another, by whichever engine. */
const rulesAt = (
  reached: readonly Reached[],
  name: string,
  direction: Direction,
  peer: string,
): readonly Rule[] =>
  reached
    .filter(({ node }) => node.name === name)
    .flatMap(({ cluster, settings }) => {
      // Each engine has its own addresses.
      const address = cluster.nodes.find((node) => node.name === peer)?.address;
      return address === undefined ? [] : rulesFor(settings, direction, address);
    });

/** What is asked for in one direction of a link: at the sender, and at the receiver. */
export const configuredFault = (reached: readonly Reached[], from: string, to: string): Fault =>
  composeAll(
    [...rulesAt(reached, from, 'out', to), ...rulesAt(reached, to, 'in', from)].map(
      ({ fault }) => fault,
    ),
  );

/** Ends settings at all agents, whatever becomes of one of them. Answers their labels, and who has not. */
export const clearAt = async (
  reached: readonly Reached[],
  what: 'profile' | 'partition' | 'all',
): Promise<{ readonly labels: ReadonlySet<string>; readonly missed: Missed }> => {
  const labels = new Set<string>();
  const missed: string[] = [];
  await Promise.all(
    reached.map(async ({ node, link }) => {
      try {
        const { cleared } = await link.ask<'clear'>({ do: 'clear', what });
        for (const label of cleared) labels.add(label);
      } catch (error) {
        missed.push(`${node.name} has not cleared: ${messageOf(error)}`);
      }
    }),
  );
  return { labels, missed };
};
