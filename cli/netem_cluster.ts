/** Does I/O: a cluster as `coopfs netem` sees it: its nodes, and how their agents are reached. */

import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { AgentLink } from '../netem/agent_link.ts';
import { dialNamespace } from '../netem/agent_process.ts';
import { hasAgent } from '../netem/agent_socket.ts';
import type { Dial } from '../netem/holder.ts';
import type { NetemNode } from '../netem/plan.ts';
import { FsError } from '../protocol/errors.ts';
import { SERVER } from '../protocol/ids.ts';
import {
  clusterPaths,
  daemonNames,
  hostOf,
  nodeAddress,
  requireClusterConfig,
  serverAddress,
} from './cluster_config.ts';
import { namespaceFile, type ClusterNetwork } from './cluster_network.ts';
import { UsageError } from './exit_status.ts';
import { agentsInContainers, clusterInContainers } from './netem_containers.ts';
import { clusterInNamespaces } from './netem_namespaces.ts';
import { localControl, type NodeControl } from './node_control.ts';
import type { Resolved } from './options.ts';

export interface NetemCluster {
  readonly nodes: readonly NetemNode[];
  readonly engine: 'relay' | 'tc';
  readonly dial: Dial;
  /** The lease of the cluster in ms; undefined where nobody knows it. */
  readonly leaseMs: number | undefined;
  /** What kills, starts and pauses its nodes; undefined where they are not this command's to kill. */
  readonly control: NodeControl | undefined;
}

/** Those of a cluster's agents that have one engine. */
export interface AgentsOf {
  readonly cluster: NetemCluster;
  /** The nodes that have one. */
  readonly names: readonly string[];
}

/** Links are measured by the first engine. */
export type ClusterAgents = readonly [AgentsOf, ...AgentsOf[]];

/** The options that say which cluster, and how its network is impaired. */
export const CLUSTER_OPTIONS = [
  'dir',
  'compose',
  'composeFile',
  'netns',
  'ownAgent',
  'engine',
] as const;

export type ClusterOptions = Resolved<(typeof CLUSTER_OPTIONS)[number], never>;

const WORD = /^[\w@%+=:,./-]+$/;
/** A word of a command line, as a shell takes it. */
const quoted = (word: string): string =>
  WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** The options that name the same cluster and engine again, with a space before each. */
export const clusterFlags = (options: ClusterOptions): string => {
  const { dir, compose, composeFile, netns, ownAgent, engine } = options;
  const members = netns?.map(({ node, namespace }) => `${node}=${namespace}`).join(',');
  const isNamed = compose || [dir, composeFile, members].some((each) => each !== undefined);
  const flags = {
    dir,
    'compose-file': composeFile,
    netns: members,
    agent: isNamed ? undefined : ownAgent,
    engine,
  };
  const words = Object.entries(flags).map(([name, value]) =>
    value === undefined ? '' : ` --${name} ${quoted(value)}`,
  );
  return (compose && composeFile === undefined ? ' --compose' : '') + words.join('');
};

/** @throws UsageError if none or more than one is named, or the engine is not one for it. */
export const netemCluster = async (options: ClusterOptions): Promise<NetemCluster> => {
  const { dir, composeFile, netns, ownAgent, engine } = options;
  const compose = options.compose || composeFile !== undefined;
  const named = [dir !== undefined, compose, netns !== undefined].filter((each) => each).length;
  // Containers have it in their environment: whoever names a cluster means that one.
  if (named === 0 && ownAgent !== undefined) return ownNode(ownAgent, engine);
  if (named !== 1) {
    const how = named === 0 ? 'it is not said which cluster' : 'more than one cluster is named';
    throw new UsageError(`${how}: expected --dir DIR, --compose or --netns NODES`);
  }
  if (compose) return clusterInContainers(composeFile, engine ?? 'relay');
  if (netns !== undefined) {
    if (engine === 'relay') {
      throw new UsageError('--engine relay is not right with --netns: expected tc, or --dir DIR');
    }
    return clusterInNamespaces(netns);
  }
  return localCluster(dir ?? '', engine);
};

/**
 * All agents of a cluster by which something may be applied: where nodes have networks of their own those of both
 * engines, unless one is named. @throws UsageError as for the cluster.
 */
export const netemAgents = async (options: ClusterOptions): Promise<ClusterAgents> => {
  const { compose, composeFile, dir, netns, engine } = options;
  const inContainers = compose || composeFile !== undefined;
  if (inContainers && dir === undefined && netns === undefined && engine === undefined) {
    return agentsInContainers(composeFile);
  }
  const cluster = await netemCluster(options);
  const names = cluster.nodes.map(({ name }) => name);
  if (dir === undefined || engine !== undefined) return [{ cluster, names }];
  const { network } = requireClusterConfig(clusterPaths(dir));
  if (network === undefined) return [{ cluster, names }];
  const withTc = names.filter((name) => hasAgent(namespaceFile(network, name)));
  return [
    { cluster, names },
    { cluster: localCluster(dir, 'tc'), names: withTc },
  ];
};

/** The node on this machine or in this container, which has its name. @throws UsageError for another engine. */
const ownNode = (agent: string, engine: NetemCluster['engine'] | undefined): NetemCluster => {
  if (engine === 'tc') {
    throw new UsageError(
      '--engine tc is not right for one node, by its agent: expected relay, or --compose on the host',
    );
  }
  return {
    // In a container of a swarm the host's name is an id; that of the node is what its daemon goes by.
    nodes: [{ name: process.env['COOPFS_NODE'] ?? hostname(), address: '' }],
    engine: 'relay',
    dial: (node) => AgentLink.dial(node, agent),
    leaseMs: undefined,
    control: undefined,
  };
};

/** By agents in the namespaces of a local cluster, which has them as long as it runs. */
const dialIn =
  (network: ClusterNetwork, dir: string): Dial =>
  (node, signal) => {
    const namespace = namespaceFile(network, node);
    if (existsSync(namespace)) return dialNamespace(node, namespace, signal);
    const why = `the cluster does not run; start it by "coopfs cluster up --dir ${quoted(dir)}"`;
    return Promise.reject(new FsError('ENOENT', `it has no network namespace: ${why}`));
  };

/**
 * A local cluster. Its daemons have agents with the engine `relay`; for `tc` its nodes need namespaces, and have
 * agents there. @throws UsageError if there is none, or it has no namespaces.
 */
export const localCluster = (
  dir: string,
  engine: NetemCluster['engine'] = 'relay',
): NetemCluster & { readonly control: NodeControl } => {
  const paths = clusterPaths(dir);
  const config = requireClusterConfig(paths);
  const { network, leaseMs } = config;
  const same = { engine, leaseMs, control: localControl(dir) };
  if (engine === 'relay') {
    const server = { name: SERVER, address: serverAddress(config) };
    const cachers = config.nodes.map((node) => ({
      name: node.name,
      address: nodeAddress(config, node),
    }));
    const dial: Dial = (node) => AgentLink.dial(node, paths.netem(node));
    return { ...same, nodes: [server, ...cachers], dial };
  }
  if (network === undefined) {
    throw new UsageError(
      `--engine tc is not right with --dir ${dir}: the nodes of this cluster have no network of their own; expected ` +
        'relay, or a cluster of "coopfs cluster up --namespaces", or --compose or --netns NODES',
    );
  }
  return {
    ...same,
    nodes: daemonNames(config).map((name) => ({ name, address: hostOf(config, name) })),
    dial: dialIn(network, dir),
  };
};
