/** Does I/O: the folder of a local cluster, and what cluster.json in it remembers for the next start. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { SERVER, type NodeId } from '../protocol/ids.ts';
import { makeFolder } from '../rudp/make_folder.ts';
import type { KeySource } from './cluster_key.ts';
import { UsageError } from './exit_status.ts';
import {
  DEFAULT_LEASE_MS,
  DEFAULT_LOST_AFTER_MS,
  DEFAULT_MARGIN_MS,
  DEFAULT_SCRUB_MS,
  DEFAULT_SERVER_WAIT_MS,
} from './lease_terms.ts';
import { addressAt } from './cluster_network.ts';
import * as value from './option_values.ts';

/** The disk's own pattern, which tells file and offset. */
export const PATTERN_FILL = 'pattern';
/** The disk was there before the cluster: nobody remembers what it was filled with. */
export const UNKNOWN_FILL = 'unknown';

const port = z.int().min(1).max(value.PORT_LIMIT);
const positive = z.int().min(1);

const schema = z
  .object({
    host: z.string().min(1),
    serverPort: port,
    serverPages: z.int().min(0),
    openPolicy: value.openPolicy,
    heartbeatMs: z.number().positive(),
    // Clusters of folders from before there were leases have none of these.
    leaseMs: z.number().positive().default(DEFAULT_LEASE_MS),
    marginMs: z.number().positive().default(DEFAULT_MARGIN_MS),
    lostAfterMs: z.number().positive().default(DEFAULT_LOST_AFTER_MS),
    scrubMs: z.number().positive().default(DEFAULT_SCRUB_MS),
    degradedPolicy: value.degradedPolicy.default('write-through'),
    serverWaitMs: z.number().positive().default(DEFAULT_SERVER_WAIT_MS),
    writebackIntervalMs: z.number().positive(),
    logLevel: value.logLevel,
    basePort: port.optional(),
    /** With a network namespace for each daemon; else all are at `host`. There as long as the cluster runs. */
    network: z
      .object({
        // They are words of shell scripts.
        name: z.string().regex(/^coopfs[0-9a-f]{1,8}$/),
        subnet: z.string().regex(/^\d{1,3}(\.\d{1,3}){2}$/),
      })
      .readonly()
      .optional(),
    /** Absolute; where it is missing, cluster.key in the folder. */
    keyFile: z.string().min(1).optional(),
    insecure: z.boolean().optional(),
    geometry: z
      .object({ files: positive, blockSizeBytes: positive, blocksPerFile: positive })
      .readonly(),
    /** What fills files that were never written: a character, or one of the two words below. */
    fill: z.union([value.fillCharacter, z.enum([PATTERN_FILL, UNKNOWN_FILL])]),
    nodes: z.array(z.object({ name: value.nodeName, port, pages: positive }).readonly()).readonly(),
  })
  .readonly();

/** Everything that starting a daemon of this cluster again needs. */
export type ClusterConfig = z.output<typeof schema>;
export type NodeConfig = ClusterConfig['nodes'][number];

/** All daemons, in the order of their places in a network of their own. */
export const daemonNames = ({ nodes }: Pick<ClusterConfig, 'nodes'>): NodeId[] => [
  SERVER,
  ...nodes.map(({ name }) => name),
];

/** The address of the machine or namespace in which a daemon runs. */
export const hostOf = (config: ClusterConfig, name: NodeId): string => {
  const { host, network } = config;
  return network === undefined ? host : addressAt(network, 1 + daemonNames(config).indexOf(name));
};

/** Where the file server listens, as HOST:PORT. */
export const serverAddress = (config: ClusterConfig): string =>
  value.formatHostPort({ host: hostOf(config, SERVER), port: config.serverPort });

/** Where a cacher listens, as HOST:PORT. */
export const nodeAddress = (config: ClusterConfig, { name, port }: NodeConfig): string =>
  value.formatHostPort({ host: hostOf(config, name), port });

/** Where the parts of a cluster are, in the folder `dir`. */
export const clusterPaths = (dir: string) => {
  const root = resolve(dir);
  return {
    root,
    disk: join(root, 'disk.img'),
    config: join(root, 'cluster.json'),
    key: join(root, 'cluster.key'),
    run: join(root, 'run'),
    logs: join(root, 'log'),
    lock: join(root, 'run', 'cluster.lock'),
    pid: (name: string) => join(root, 'run', `${name}.pid`),
    socket: (node: NodeId) => join(root, 'run', `${node}.sock`),
    netem: (name: string) => join(root, 'run', `${name}.netem`),
    log: (name: string) => join(root, 'log', `${name}.log`),
  };
};

export type ClusterPaths = ReturnType<typeof clusterPaths>;

/** Where the key of the cluster is, if it has one. */
export const clusterKeySource = (paths: ClusterPaths, config: ClusterConfig): KeySource =>
  config.insecure === true ? { insecure: true } : { keyFile: config.keyFile ?? paths.key };

/** @throws UsageError if a node's socket would have a path that no socket can have. */
export const checkSocketPaths = (paths: ClusterPaths, nodes: readonly NodeConfig[]): void => {
  const sockets = nodes.flatMap(({ name }) => [paths.socket(name), paths.netem(name)]);
  for (const path of [...sockets, paths.netem(SERVER)]) {
    const bytes = value.socketPathBytes(path);
    if (bytes <= value.SOCKET_PATH_BYTES_LIMIT) continue;
    throw new UsageError(
      `the socket path ${path} has ${bytes} bytes, but a unix socket path has at most ` +
        `${value.SOCKET_PATH_BYTES_LIMIT}: choose a folder with a shorter path for --dir`,
    );
  }
};

/**
 * What is remembered of the cluster in `paths`; undefined if there is none.
 * @throws UsageError if cluster.json is not what `coopfs cluster` writes.
 */
export const readClusterConfig = (paths: ClusterPaths): ClusterConfig | undefined => {
  let text: string;
  try {
    text = readFileSync(paths.config, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UsageError(`${paths.config} is not JSON: remove it, or the whole folder`);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const place = issue?.path.join('.') ?? '';
  throw new UsageError(`${paths.config} is not a cluster's: ${place}: ${issue?.message ?? ''}`);
};

/** @throws UsageError if there is no cluster in the folder. */
export const requireClusterConfig = (paths: ClusterPaths): ClusterConfig => {
  const config = readClusterConfig(paths);
  if (config !== undefined) return config;
  throw new UsageError(
    `there is no cluster in ${paths.root}: start one by "coopfs cluster up --dir ${paths.root}"`,
  );
};

/** Replaces cluster.json as a whole: a reader sees the old one or the new one. */
export const writeClusterConfig = (paths: ClusterPaths, config: ClusterConfig): void => {
  const text = JSON.stringify(
    { ...config, nodes: config.nodes.map(({ name, port, pages }) => ({ name, port, pages })) },
    undefined,
    2,
  );
  writeFileSync(`${paths.config}.new`, `${text}\n`);
  renameSync(`${paths.config}.new`, paths.config);
};

export const makeClusterFolders = (paths: ClusterPaths): void => {
  makeFolder(paths.run);
  makeFolder(paths.logs);
};

/** The first `count` names of n1, n2, … that no node has. */
export const freeNodeNames = (taken: readonly string[], count: number): NodeId[] => {
  const names: NodeId[] = [];
  for (let number = 1; names.length < count; number += 1) {
    const name = `n${number}`;
    if (!taken.includes(name)) names.push(name as NodeId);
  }
  return names;
};
