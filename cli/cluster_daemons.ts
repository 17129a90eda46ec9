/** The daemons of a local cluster as the command lines that start them. Pure. */

import type { ClusterConfig, ClusterPaths, NodeConfig } from './cluster_config.ts';
import type { DaemonCommand } from './daemon_process.ts';
import { formatDuration, formatHostPort } from './option_values.ts';
import { flagFor } from './options.ts';
import { SERVER } from '../protocol/ids.ts';

export const serverCommand = (paths: ClusterPaths, config: ClusterConfig): DaemonCommand => ({
  name: SERVER,
  pidFile: paths.pid(SERVER),
  logFile: paths.log(SERVER),
  args: [
    'server',
    ...flagFor('disk', paths.disk),
    ...flagFor('listen', formatHostPort({ host: config.host, port: config.serverPort })),
    ...flagFor('serverPages', config.serverPages),
    ...flagFor('openPolicy', config.openPolicy),
    ...flagFor('heartbeat', formatDuration(config.heartbeatMs)),
    ...flagFor('logLevel', config.logLevel),
  ],
});

export const cacherCommand = (
  paths: ClusterPaths,
  config: ClusterConfig,
  node: NodeConfig,
): DaemonCommand => ({
  name: node.name,
  pidFile: paths.pid(node.name),
  logFile: paths.log(node.name),
  args: [
    'cacher',
    ...flagFor('node', node.name),
    ...flagFor('server', formatHostPort({ host: config.host, port: config.serverPort })),
    ...flagFor('listen', formatHostPort({ host: config.host, port: node.port })),
    ...flagFor('socket', paths.socket(node.name)),
    ...flagFor('pages', node.pages),
    ...flagFor('writebackInterval', formatDuration(config.writebackIntervalMs)),
    ...flagFor('logLevel', config.logLevel),
  ],
});
