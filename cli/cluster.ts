/** `coopfs cluster up|status|down|add`: a local cluster as background processes. */

import { resolve as resolvePath } from 'node:path';
import { Command } from 'commander';
import { print, printError, runs, withExamples } from './action.ts';
import {
  UNKNOWN_FILL,
  clusterKeySource,
  clusterPaths,
  readClusterConfig,
  serverAddress,
  type ClusterConfig,
} from './cluster_config.ts';
import { keySourceOf } from './cluster_key.ts';
import { bringDown } from './cluster_down.ts';
import { clusterStatus, statusAsText } from './cluster_status.ts';
import { addNodes, bringUp, type ClusterWish, type UpReport } from './cluster_up.ts';
import { EXIT, UsageError } from './exit_status.ts';
import { geometryInWords, geometryOf } from './format.ts';
import { untilInterrupted } from './interruption.ts';
import { leaseWarning } from './lease_terms.ts';
import { formatDuration } from './option_values.ts';
import { OPTIONS, declareOptions, resolveOptions, wasTyped, type OptionName } from './options.ts';

const UP = [
  'dir',
  'cachers',
  'pages',
  'basePort',
  'namespaces',
  'keyFile',
  'insecure',
  'files',
  'blockSize',
  'blocksPerFile',
  'fill',
  'serverPages',
  'openPolicy',
  'heartbeat',
  'lease',
  'margin',
  'lostAfter',
  'scrubInterval',
  'degraded',
  'serverWait',
  'writebackInterval',
  'logLevel',
] as const;

/** What a cluster that is there already has, for each option that shaped it. */
const remembered = (config: ClusterConfig): Partial<Record<OptionName, string>> => ({
  cachers: String(config.nodes.length),
  pages: String(config.nodes[0]?.pages ?? ''),
  basePort: String(config.basePort ?? 'none'),
  files: String(config.geometry.files),
  blockSize: String(config.geometry.blockSizeBytes),
  blocksPerFile: String(config.geometry.blocksPerFile),
  ...(config.fill === UNKNOWN_FILL ? {} : { fill: config.fill }),
  serverPages: String(config.serverPages),
  openPolicy: config.openPolicy,
  heartbeat: formatDuration(config.heartbeatMs),
  lease: formatDuration(config.leaseMs),
  margin: formatDuration(config.marginMs),
  lostAfter: formatDuration(config.lostAfterMs),
  scrubInterval: formatDuration(config.scrubMs),
  degraded: config.degradedPolicy,
  serverWait: formatDuration(config.serverWaitMs),
  writebackInterval: formatDuration(config.writebackIntervalMs),
  logLevel: config.logLevel,
});

/** True if the typed options would give the cluster another key. */
const changesKey = (command: Command, dir: string, config: ClusterConfig): boolean => {
  const has = clusterKeySource(clusterPaths(dir), config);
  if (wasTyped(command, 'insecure')) return !('insecure' in has);
  if (!wasTyped(command, 'keyFile')) return false;
  const wished = resolvePath(String(command.getOptionValue('keyFile')));
  return !('keyFile' in has) || has.keyFile !== wished;
};

/** A cluster keeps the options it was made with; a flag that says otherwise is not passed over. */
const refuseChanges = (command: Command, dir: string): void => {
  const config = readClusterConfig(clusterPaths(dir));
  if (config === undefined) return;
  if (changesKey(command, dir, config)) {
    throw new UsageError(
      `the cluster in ${dir} was made with another key, or without: leave the flag out (keys are ` +
        'changed in the key file, see "coopfs key --help"), or use another folder',
    );
  }
  if (wasTyped(command, 'namespaces') && config.network === undefined) {
    throw new UsageError(
      `the cluster in ${dir} was made without --namespaces: leave the flag out, or use another folder`,
    );
  }
  for (const [name, has] of Object.entries(remembered(config)) as [OptionName, string][]) {
    const wished: unknown = command.getOptionValue(name);
    if (!wasTyped(command, name) || wished === has) continue;
    if (OPTIONS[name].value.safeParse(wished).data === OPTIONS[name].value.safeParse(has).data) {
      continue;
    }
    const flag = OPTIONS[name].flags.split(' ')[0] ?? name;
    throw new UsageError(
      `${flag} ${String(wished)} differs from the cluster in ${dir}, which was made with ${has}: ` +
        'leave the flag out, add nodes by "coopfs cluster add", or use another folder',
    );
  }
};

const tellUp = ({ config, paths, formatted, started, alreadyRunning }: UpReport): void => {
  if (formatted) print(`formatted ${paths.disk}: ${geometryInWords(config.geometry)}`);
  if (alreadyRunning.length > 0) print(`already running: ${alreadyRunning.join(', ')}`);
  if (started.length > 0) print(`started: ${started.join(', ')}`);
  if (config.insecure === true) print('--insecure: nothing is encrypted; for benchmarks only');
  print(
    `the file server is at ${serverAddress(config)}, sockets and pid files are in ${paths.run}`,
  );
};

const upCommand = (): Command => {
  const command = declareOptions(
    new Command('up').description('start a cluster, or whatever of it does not run'),
    UP,
  );
  withExamples(command, [
    ['coopfs cluster up --dir /tmp/c', 'a file server and four caching nodes, n1 to n4'],
    ['coopfs cluster up --dir /tmp/c --cachers 8 --pages 64', 'more of both'],
    ['coopfs cluster up --dir /tmp/c --namespaces', 'each in a network namespace (root, Linux)'],
  ]);
  return runs(command, async () => {
    const options = resolveOptions(command, UP, ['dir']);
    refuseChanges(command, options.dir);
    const warning = leaseWarning(options.lease, options.heartbeat);
    if (warning !== undefined) printError(warning);
    const wish: ClusterWish = {
      cachers: options.cachers,
      pages: options.pages,
      basePort: options.basePort,
      namespaces: options.namespaces,
      key: keySourceOf(command, options),
      geometry: geometryOf(options),
      fill: options.fill,
      serverPages: options.serverPages,
      openPolicy: options.openPolicy,
      heartbeatMs: options.heartbeat,
      leaseMs: options.lease,
      marginMs: options.margin,
      lostAfterMs: options.lostAfter,
      scrubMs: options.scrubInterval,
      degradedPolicy: options.degraded,
      serverWaitMs: options.serverWait,
      writebackIntervalMs: options.writebackInterval,
      logLevel: options.logLevel,
    };
    tellUp(await untilInterrupted((signal) => bringUp(options.dir, wish, signal)));
    return EXIT.ok;
  });
};

const statusCommand = (): Command => {
  const names = ['dir', 'json'] as const;
  const command = declareOptions(
    new Command('status').description('what runs of a cluster (exit status 1 if not all does)'),
    names,
  );
  withExamples(command, [['coopfs cluster status --dir /tmp/c --json', 'for programs']]);
  return runs(command, async () => {
    const { dir, json } = resolveOptions(command, names, ['dir']);
    const status = await clusterStatus(dir);
    if (json) print(JSON.stringify(status));
    else print(...statusAsText(status));
    return status.allUp ? EXIT.ok : EXIT.failed;
  });
};

const downCommand = (): Command => {
  const names = ['dir'] as const;
  const command = declareOptions(
    new Command('down').description('stop a cluster in order: the cachers, then the server'),
    names,
  );
  withExamples(command, [['coopfs cluster down --dir /tmp/c', 'the disk image stays']]);
  return runs(command, async () => {
    const { dir } = resolveOptions(command, names, ['dir']);
    const stopped = await bringDown(dir);
    for (const { name, pid, outcome, problem } of stopped) {
      if (outcome === 'killed') {
        printError(`${name} did not stop in time: process ${pid ?? ''} was killed`);
      } else if (problem !== undefined) printError(`${name} ${outcome}, but: ${problem}`);
      else print(`${name} ${outcome}`);
    }
    const failed = stopped.some(
      ({ outcome, problem }) => outcome === 'killed' || problem !== undefined,
    );
    return failed ? EXIT.failed : EXIT.ok;
  });
};

const addCommand = (): Command => {
  const names = ['dir', 'count', 'name', 'pages'] as const;
  const command = declareOptions(
    new Command('add').description('add nodes to a cluster that runs'),
    names,
  );
  withExamples(command, [
    ['coopfs cluster add --dir /tmp/c --count 2', 'two more nodes'],
    ['coopfs cluster add --dir /tmp/c --name big --pages 1024', 'one with a name and much memory'],
  ]);
  return runs(command, async () => {
    const { dir, ...wish } = resolveOptions(command, names, ['dir']);
    if (wish.name !== undefined && wasTyped(command, 'count') && wish.count !== 1) {
      throw new UsageError(`--name ${wish.name} names one node, but --count is ${wish.count}`);
    }
    tellUp(await untilInterrupted((signal) => addNodes(dir, wish, signal)));
    return EXIT.ok;
  });
};

export const clusterCommand = (): Command =>
  withExamples(
    new Command('cluster')
      .description('a local cluster as background processes')
      .helpCommand(false)
      .addCommand(upCommand())
      .addCommand(statusCommand())
      .addCommand(downCommand())
      .addCommand(addCommand()),
    [
      ['coopfs cluster up --dir /tmp/c', 'a file server and four caching nodes'],
      ['coopfs cluster status --dir /tmp/c', 'what runs, and what each node holds'],
      ['coopfs cluster down --dir /tmp/c', 'stops it; everything is on the disk then'],
    ],
  );
