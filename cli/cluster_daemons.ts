/** The daemons of a local cluster as the command lines that start them. Pure. */

import {
  clusterKeySource,
  nodeAddress,
  serverAddress,
  type ClusterConfig,
  type ClusterPaths,
  type NodeConfig,
} from './cluster_config.ts';
import { enterWords } from './cluster_network.ts';
import type { DaemonCommand } from './daemon_process.ts';
import { formatDuration } from './option_values.ts';
import { bareFlag, flagFor } from './options.ts';
import { SERVER, type NodeId } from '../protocol/ids.ts';

const keyFlags = (paths: ClusterPaths, config: ClusterConfig): string[] => {
  const source = clusterKeySource(paths, config);
  return 'insecure' in source ? [bareFlag('insecure')] : flagFor('keyFile', source.keyFile);
};

const enterOf = ({ network }: ClusterConfig, name: NodeId): string[] =>
  network === undefined ? [] : enterWords(network, name);

export const serverCommand = (paths: ClusterPaths, config: ClusterConfig): DaemonCommand => ({
  name: SERVER,
  enter: enterOf(config, SERVER),
  pidFile: paths.pid(SERVER),
  logFile: paths.log(SERVER),
  args: [
    'server',
    ...flagFor('disk', paths.disk),
    ...flagFor('listen', serverAddress(config)),
    ...keyFlags(paths, config),
    ...flagFor('serverPages', config.serverPages),
    ...flagFor('openPolicy', config.openPolicy),
    ...flagFor('heartbeat', formatDuration(config.heartbeatMs)),
    ...flagFor('lease', formatDuration(config.leaseMs)),
    ...flagFor('margin', formatDuration(config.marginMs)),
    ...flagFor('lostAfter', formatDuration(config.lostAfterMs)),
    ...flagFor('netem', paths.netem(SERVER)),
    ...flagFor('scrubInterval', formatDuration(config.scrubMs)),
    ...flagFor('degraded', config.degradedPolicy),
    ...flagFor('logLevel', config.logLevel),
  ],
});

export const cacherCommand = (
  paths: ClusterPaths,
  config: ClusterConfig,
  node: NodeConfig,
): DaemonCommand => ({
  name: node.name,
  enter: enterOf(config, node.name),
  pidFile: paths.pid(node.name),
  logFile: paths.log(node.name),
  args: [
    'cacher',
    ...flagFor('node', node.name),
    ...flagFor('server', serverAddress(config)),
    ...flagFor('listen', nodeAddress(config, node)),
    ...flagFor('socket', paths.socket(node.name)),
    ...keyFlags(paths, config),
    ...flagFor('pages', node.pages),
    ...flagFor('writebackInterval', formatDuration(config.writebackIntervalMs)),
    ...flagFor('serverWait', formatDuration(config.serverWaitMs)),
    ...flagFor('netem', paths.netem(node.name)),
    ...flagFor('logLevel', config.logLevel),
  ],
});
