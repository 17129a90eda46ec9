/** Does I/O: the commands that the agents of the engine `tc` would run for a plan. */

import type { Dial } from '../netem/holder.ts';
import { missingInWords } from '../netem/missing.ts';
import type { Plan } from '../netem/plan.ts';
import type { Setting } from '../netem/setting.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import type { NetemCluster } from './netem_cluster.ts';

const preview = async (dial: Dial, node: string, setting: Setting): Promise<string[]> => {
  const link = await dial(node);
  try {
    return (await link.ask<'preview'>({ do: 'preview', setting })).commands;
  } finally {
    link.close();
  }
};

/**
 * "n1: tc qdisc add …", a line each; they count what is applied already.
 * @throws FsError that names the node, for one that is not reached or refuses.
 */
export const commandsOf = async ({ dial }: NetemCluster, plan: Plan): Promise<string[]> => {
  const lines = [...plan].map(async ([node, setting]) => {
    try {
      const commands = await preview(dial, node, setting);
      return commands.map((command) => `${node}: ${command}`);
    } catch (error) {
      const code = error instanceof FsError ? error.code : 'EINVAL';
      throw new FsError(code, missingInWords({ node, reason: messageOf(error) }));
    }
  });
  return (await Promise.all(lines)).flat();
};
