/** Does I/O: the commands that the agents of the engine `tc` would run for a plan. */

import type { Plan } from '../netem/plan.ts';
import type { NetemCluster } from './netem_cluster.ts';

/** "n1: tc qdisc add …", a line each; they count what is applied already. */
export const commandsOf = async ({ dial }: NetemCluster, plan: Plan): Promise<string[]> => {
  const lines = [...plan].map(async ([node, setting]) => {
    const link = await dial(node);
    try {
      const { commands } = await link.ask<'preview'>({ do: 'preview', setting });
      return commands.map((command) => `${node}: ${command}`);
    } finally {
      link.close();
    }
  });
  return (await Promise.all(lines)).flat();
};
