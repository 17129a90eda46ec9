/** Does I/O: brings a local cluster up, whole or what is missing of it, and adds nodes to it. */

import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { FsError } from '../protocol/errors.ts';
import { SERVER, type Geometry, type NodeId } from '../protocol/ids.ts';
import { checkImage, formatImage } from '../fileserver/disk/image_file.ts';
import { createKeyFile } from '../rudp/key_file.ts';
import {
  PATTERN_FILL,
  UNKNOWN_FILL,
  checkSocketPaths,
  clusterKeySource,
  clusterPaths,
  daemonNames,
  freeNodeNames,
  makeClusterFolders,
  readClusterConfig,
  requireClusterConfig,
  writeClusterConfig,
  type ClusterConfig,
  type ClusterPaths,
  type NodeConfig,
} from './cluster_config.ts';
import { cacherCommand, serverCommand } from './cluster_daemons.ts';
import { securityOf, type KeySource } from './cluster_key.ts';
import {
  checkPlaces,
  makeNetwork,
  nodesIn,
  ownerOf,
  planNetwork,
  removeFromNetwork,
  removeNetwork,
  type ClusterNetwork,
} from './cluster_network.ts';
import { startDaemon, stopDaemon, type DaemonCommand } from './daemon_process.ts';
import { UsageError } from './exit_status.ts';
import { freePorts, isFreePort } from './free_ports.ts';
import { PORT_LIMIT } from './option_values.ts';
import { lockByProcessFile, readProcessFile } from './process_file.ts';

const LOOPBACK = '127.0.0.1';
/** In a namespace of its own a daemon finds every port free. */
const NAMESPACES_BASE_PORT = 7000;

/** What a new cluster shall be like. */
export interface ClusterWish {
  readonly cachers: number;
  readonly pages: number;
  readonly basePort: number | undefined;
  /** A network namespace for each daemon. */
  readonly namespaces: boolean;
  /** Undefined: a key file in the folder, made if it is not there. */
  readonly key: KeySource | undefined;
  readonly geometry: Geometry;
  readonly fill: string | undefined;
  readonly serverPages: number;
  readonly openPolicy: ClusterConfig['openPolicy'];
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly marginMs: number;
  readonly lostAfterMs: number;
  readonly scrubMs: number;
  readonly degradedPolicy: 'write-through' | 'refuse';
  readonly serverWaitMs: number;
  readonly writebackIntervalMs: number;
  readonly logLevel: ClusterConfig['logLevel'];
}

export interface UpReport {
  readonly config: ClusterConfig;
  readonly paths: ClusterPaths;
  readonly formatted: boolean;
  readonly started: readonly string[];
  readonly alreadyRunning: readonly string[];
}

/** Holds the cluster of the folder against other commands that would change it, during `work`. */
export const withClusterLock = async <T>(
  paths: ClusterPaths,
  work: () => Promise<T>,
): Promise<T> => {
  makeClusterFolders(paths);
  const release = lockByProcessFile(paths.lock);
  if (release === undefined) {
    throw new FsError(
      'EBUSY',
      `another command works on the cluster in ${paths.root}: wait for it`,
    );
  }
  try {
    return await work();
  } finally {
    release();
  }
};

const portsFor = async (
  { basePort, namespaces }: Pick<ClusterWish, 'basePort' | 'namespaces'>,
  taken: number,
  count: number,
): Promise<number[]> => {
  if (basePort === undefined && !namespaces) return freePorts(LOOPBACK, count);
  const first = basePort ?? NAMESPACES_BASE_PORT;
  const ports = Array.from({ length: count }, (_, index) => first + taken + index);
  const last = ports.at(-1) ?? 0;
  if (last <= PORT_LIMIT) return ports;
  throw new UsageError(
    `the cluster would need port ${last}, the last is ${PORT_LIMIT}: use a lower --base-port`,
  );
};

/** Daemons are started from anywhere, so the path must be whole. */
const rememberedKey = (key: KeySource | undefined): Partial<ClusterConfig> => {
  if (key === undefined) return {};
  return 'insecure' in key ? key : { keyFile: resolve(key.keyFile) };
};

/** The cluster's own key file, made if it is not there; one from elsewhere has to be. */
const provideKey = (paths: ClusterPaths, config: ClusterConfig): void => {
  if (config.insecure === true) return;
  if (config.keyFile === undefined && !existsSync(paths.key)) createKeyFile(paths.key);
  securityOf(clusterKeySource(paths, config));
};

const newConfig = async (
  wish: ClusterWish,
  disk: string,
  diskExists: boolean,
): Promise<ClusterConfig> => {
  const [serverPort = 0, ...ports] = await portsFor(wish, 0, wish.cachers + 1);
  const names = freeNodeNames([], wish.cachers);
  return {
    host: LOOPBACK,
    serverPort,
    serverPages: wish.serverPages,
    openPolicy: wish.openPolicy,
    heartbeatMs: wish.heartbeatMs,
    leaseMs: wish.leaseMs,
    marginMs: wish.marginMs,
    lostAfterMs: wish.lostAfterMs,
    scrubMs: wish.scrubMs,
    degradedPolicy: wish.degradedPolicy,
    serverWaitMs: wish.serverWaitMs,
    writebackIntervalMs: wish.writebackIntervalMs,
    logLevel: wish.logLevel,
    basePort: wish.basePort,
    ...rememberedKey(wish.key),
    geometry: (diskExists ? (await checkImage(disk)).geometry : undefined) ?? wish.geometry,
    fill: diskExists ? UNKNOWN_FILL : (wish.fill ?? PATTERN_FILL),
    nodes: names.map((name, index) => ({ name, port: ports[index] ?? 0, pages: wish.pages })),
  };
};

/** Takes other ports for what does not run and whose port was taken by somebody else since. */
const withUsablePorts = async (
  paths: ClusterPaths,
  config: ClusterConfig,
): Promise<ClusterConfig> => {
  if (config.basePort !== undefined || config.network !== undefined) return config;
  const usable = async (name: string, port: number): Promise<number> => {
    if (readProcessFile(paths.pid(name)) !== undefined) return port;
    if (await isFreePort(config.host, port)) return port;
    return (await freePorts(config.host, 1))[0] ?? port;
  };
  const nodes: NodeConfig[] = [];
  for (const node of config.nodes) {
    nodes.push({ ...node, port: await usable(node.name, node.port) });
  }
  const cachersRun = nodes.some(({ name }) => readProcessFile(paths.pid(name)) !== undefined);
  // Cachers that run know the server by its port.
  const serverPort = cachersRun ? config.serverPort : await usable(SERVER, config.serverPort);
  return { ...config, nodes, serverPort };
};

/** Processes that start at once slow one another down, beyond what is waited for a daemon. */
const STARTS_AT_ONCE = 8;

/** Does `work` for each item, some at a time; throws the first failure when none is on its way. */
const forEachInTurn = async <T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> => {
  for (let at = 0; at < items.length; at += STARTS_AT_ONCE) {
    const results = await Promise.allSettled(items.slice(at, at + STARTS_AT_ONCE).map(work));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }
};

/** Starts the server, then the nodes, of those that do not run; all that it started or nothing. */
const startMissing = async (
  paths: ClusterPaths,
  config: ClusterConfig,
  names: readonly NodeId[],
  signal: AbortSignal,
): Promise<{ started: string[]; alreadyRunning: string[] }> => {
  const started: DaemonCommand[] = [];
  const alreadyRunning: string[] = [];
  const start = async (command: DaemonCommand): Promise<void> => {
    if (readProcessFile(command.pidFile) !== undefined) {
      alreadyRunning.push(command.name);
      return;
    }
    started.push(command);
    await startDaemon(command);
  };
  const stopStarted = async (): Promise<void> => {
    for (const { pidFile } of [...started].reverse()) {
      const identity = readProcessFile(pidFile);
      if (identity !== undefined) await stopDaemon(identity, pidFile);
    }
  };
  try {
    await start(serverCommand(paths, config));
    signal.throwIfAborted();
    const nodes = config.nodes.filter(({ name }) => names.includes(name));
    await forEachInTurn(nodes, async (node) => {
      await start(cacherCommand(paths, config, node));
      signal.throwIfAborted();
    });
  } catch (error) {
    await stopStarted();
    throw error;
  }
  return { started: started.map(({ name }) => name), alreadyRunning };
};

const formatDisk = (paths: ClusterPaths, { geometry, fill }: ClusterConfig): Promise<void> =>
  formatImage(paths.disk, geometry, { fill: fill.length === 1 ? fill : undefined });

/** The network of a cluster of which nothing runs. What is left of the one before it is removed. */
const nextNetwork = async (
  paths: ClusterPaths,
  remembered: ClusterConfig | undefined,
  wish: ClusterWish,
): Promise<ClusterNetwork | undefined> => {
  const had = remembered?.network;
  if (!(remembered === undefined ? wish.namespaces : had !== undefined)) return undefined;
  if (had !== undefined) await removeNetwork(had, ownerOf(paths.root));
  return planNetwork();
};

/** After a failure, which is what is told: what goes wrong now only says whether it is all gone. */
const isRemoved = (removal: Promise<void>): Promise<boolean> =>
  removal.then(
    () => true,
    () => false,
  );

/** Whether any daemon of the cluster runs. */
const runs = (paths: ClusterPaths, config: ClusterConfig | undefined): boolean =>
  config !== undefined &&
  daemonNames(config).some((name) => readProcessFile(paths.pid(name)) !== undefined);

/**
 * Starts the cluster of the folder `dir`: a new one as wished, or what does not run of the one that
 * is there. Resolves when every node has registered.
 * @throws FsError if a daemon does not come up; what this call started is stopped then,
 * as it is when `signal` aborts.
 */
export const bringUp = async (
  dir: string,
  wish: ClusterWish,
  signal: AbortSignal,
): Promise<UpReport> => {
  const paths = clusterPaths(dir);
  const wishedNodes = freeNodeNames([], wish.cachers).map((name) => ({ name, port: 1, pages: 1 }));
  const known = readClusterConfig(paths);
  checkSocketPaths(paths, known?.nodes ?? wishedNodes);
  if (known === undefined && wish.namespaces) checkPlaces(wish.cachers);
  return withClusterLock(paths, async () => {
    const remembered = readClusterConfig(paths);
    const diskExists = existsSync(paths.disk);
    const asWished = remembered ?? (await newConfig(wish, paths.disk, diskExists));
    const isNew = !runs(paths, remembered);
    const network = isNew ? await nextNetwork(paths, remembered, wish) : remembered?.network;
    const owner = ownerOf(paths.root);
    const config = await withUsablePorts(paths, { ...asWished, network });
    try {
      provideKey(paths, config);
      if (!diskExists) await formatDisk(paths, config);
      // First, so that there is no network that the other commands do not know of.
      writeClusterConfig(paths, config);
      if (network !== undefined) await makeNetwork(network, owner, daemonNames(config));
      const names = config.nodes.map(({ name }) => name);
      const outcome = await startMissing(paths, config, names, signal);
      return { config, paths, formatted: !diskExists, ...outcome };
    } catch (error) {
      const isGone =
        network === undefined || !isNew || (await isRemoved(removeNetwork(network, owner)));
      // What never was up is forgotten, so that it can be tried again with other options.
      if (remembered === undefined && isGone) rmSync(paths.config, { force: true });
      if (remembered === undefined && !diskExists) rmSync(paths.disk, { force: true });
      throw error;
    }
  });
};

/**
 * Adds nodes to a cluster that runs.
 * @throws UsageError if there is no cluster, it does not run, or a name is taken.
 */
export const addNodes = async (
  dir: string,
  wish: { readonly count: number; readonly name: NodeId | undefined; readonly pages: number },
  signal: AbortSignal,
): Promise<UpReport> => {
  const paths = clusterPaths(dir);
  requireClusterConfig(paths);
  return withClusterLock(paths, async () => {
    const before = requireClusterConfig(paths);
    if (readProcessFile(paths.pid(SERVER)) === undefined) {
      throw new UsageError(
        `the cluster in ${paths.root} does not run: start it by "coopfs cluster up"`,
      );
    }
    const taken = before.nodes.map(({ name }) => name);
    if (wish.name !== undefined && taken.includes(wish.name)) {
      throw new UsageError(`--name ${wish.name} is taken: the cluster has ${taken.join(', ')}`);
    }
    const names = wish.name === undefined ? freeNodeNames(taken, wish.count) : [wish.name];
    const { basePort, network } = before;
    const wished = { basePort, namespaces: network !== undefined };
    const ports = await portsFor(wished, taken.length + 1, names.length);
    const added = names.map((name, index) => ({
      name,
      port: ports[index] ?? 0,
      pages: wish.pages,
    }));
    checkSocketPaths(paths, added);
    const config = { ...before, nodes: [...before.nodes, ...added] };
    if (network !== undefined) checkPlaces(config.nodes.length);
    const owner = ownerOf(paths.root);
    const there = network === undefined ? [] : nodesIn(network);
    // First, so that no daemon runs that the other commands do not know of.
    writeClusterConfig(paths, config);
    try {
      if (network !== undefined) await makeNetwork(network, owner, daemonNames(config));
      const outcome = await startMissing(paths, config, names, signal);
      return { config, paths, formatted: false, ...outcome };
    } catch (error) {
      const made = names.filter((name) => !there.includes(name));
      // What is left of them goes with the network.
      if (network !== undefined) await isRemoved(removeFromNetwork(network, owner, made));
      writeClusterConfig(paths, before);
      throw error;
    }
  });
};
