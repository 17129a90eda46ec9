/** Does I/O: a cluster as `coopfs netem` sees it: its nodes, and how their agents are reached. */

import { AgentLink } from '../netem/agent_link.ts';
import type { Dial } from '../netem/holder.ts';
import type { NetemNode } from '../netem/plan.ts';
import { SERVER } from '../protocol/ids.ts';
import { clusterPaths, requireClusterConfig } from './cluster_config.ts';
import { formatHostPort } from './option_values.ts';

export interface NetemCluster {
  readonly nodes: readonly NetemNode[];
  readonly engine: 'relay' | 'tc';
  readonly dial: Dial;
  /** The lease of the cluster in ms; undefined where nobody knows it. */
  readonly leaseMs: number | undefined;
}

/** A local cluster, whose daemons have agents with the engine `relay`. @throws UsageError if there is none. */
export const localCluster = (dir: string): NetemCluster => {
  const paths = clusterPaths(dir);
  const { host, serverPort, nodes, leaseMs } = requireClusterConfig(paths);
  const server = { name: SERVER, address: formatHostPort({ host, port: serverPort }) };
  const cachers = nodes.map(({ name, port }) => ({
    name,
    address: formatHostPort({ host, port }),
  }));
  return {
    nodes: [server, ...cachers],
    engine: 'relay',
    dial: (node) => AgentLink.dial(node, paths.netem(node)),
    leaseMs,
  };
};
