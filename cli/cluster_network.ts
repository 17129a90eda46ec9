/**
 * Does I/O: a network of its own for a local cluster, for the engine `tc`: a network namespace for each daemon,
 * one for the bridge between them, and a device of this machine, by which it reaches them all.
 */

import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { clearAgents } from '../netem/agent_process.ts';
import { isInstalled } from '../netem/installed.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { UsageError } from './exit_status.ts';
import { freeSubnet } from './free_subnet.ts';
import {
  makeScript,
  NAMESPACES,
  removeNodesScript,
  removeScript,
  type ScriptFor,
} from './network_script.ts';

const TOOLS = ['ip', 'tc', 'nsenter', 'unshare', 'flock'];
/** A device's name has at most 15 characters (IFNAMSIZ of the kernel), of which "coopfs" are six. */
const NAME_BYTES = 4;
/** Where the search for a subnet may begin. */
const STARTS = 2 ** 14;
/** The last place of a subnet; that of the file server is the first one. */
const THIS_MACHINE = 254;
const CACHERS_LIMIT = THIS_MACHINE - 2;

export interface ClusterNetwork {
  /** Of the device of this machine and of the hub; the namespaces of nodes have a dash after it, and the node's name. */
  readonly name: string;
  /** The first three bytes of all addresses, such as 10.77.3. */
  readonly subnet: string;
}

/** Whoever copies a folder must not have the network of the one that was copied. */
export const newNetworkName = (): string => `coopfs${randomBytes(NAME_BYTES).toString('hex')}`;

/** By what a network knows the folder of its cluster, which keeps that when it is moved. */
export const ownerOf = (root: string): string => {
  const { dev, ino } = statSync(root, { bigint: true });
  return `coopfs cluster ${dev}:${ino}`;
};

export const namespaceOf = ({ name }: Pick<ClusterNetwork, 'name'>, node: string): string =>
  `${name}-${node}`;

export const namespaceFile = (network: Pick<ClusterNetwork, 'name'>, node: string): string =>
  join(NAMESPACES, namespaceOf(network, node));

/** The words that start a command in the namespace of a node. */
export const enterWords = (network: ClusterNetwork, node: string): string[] => [
  'nsenter',
  `--net=${namespaceFile(network, node)}`,
  '--',
];

/** @throws UsageError if a subnet has not so many places. */
export const checkPlaces = (cachers: number): void => {
  if (cachers <= CACHERS_LIMIT) return;
  throw new UsageError(
    `a cluster in namespaces has at most ${CACHERS_LIMIT} cachers, not ${cachers}: expected fewer, or a cluster ` +
      'without --namespaces',
  );
};

export const addressAt = ({ subnet }: ClusterNetwork, place: number): string => {
  checkPlaces(place - 1);
  return `${subnet}.${place}`;
};

/** Why there can be no such network here; undefined if there can. */
export const networkUnavailable = (): string | undefined => {
  if (process.platform !== 'linux') return `it needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'it needs root';
  const missing = TOOLS.filter((tool) => !isInstalled(tool));
  return missing.length === 0
    ? undefined
    : `it needs ${missing.join(' and ')}, which is not installed (Debian: iproute2, util-linux)`;
};

/** @throws FsError EIO with what a tool had to say. */
const run = async (program: string, ...args: readonly string[]): Promise<string> => {
  try {
    return (await promisify(execFile)(program, args)).stdout;
  } catch (error) {
    const { stderr } = error as { readonly stderr?: string };
    const said = stderr?.trim() ?? '';
    throw new FsError(
      'EIO',
      `the network of the cluster: ${said === '' ? messageOf(error) : said}`,
    );
  }
};

const routes = z.array(z.object({ dst: z.string() }));

/** A network that is not made yet. @throws UsageError if there can be none here. */
export const planNetwork = async (): Promise<ClusterNetwork> => {
  const reason = networkUnavailable();
  if (reason !== undefined) throw new UsageError(`--namespaces cannot be had: ${reason}`);
  const shown = await run('ip', '-json', '-4', 'route', 'show', 'table', 'all');
  const taken = routes.parse(JSON.parse(shown)).map(({ dst }) => dst);
  return { name: newNetworkName(), subnet: freeSubnet(taken, randomInt(STARTS)) };
};

const scriptFor = ({ name }: Pick<ClusterNetwork, 'name'>, owner: string): ScriptFor => ({
  name,
  owner,
  starter: process.pid,
});

/** The script that makes what is missing of a network, with a namespace for each of these nodes in the order of their places. */
export const networkScript = (
  network: ClusterNetwork,
  owner: string,
  nodes: readonly string[],
): string => {
  const members = nodes.map((node, index) => ({
    namespace: namespaceOf(network, node),
    port: `p${index + 1}`,
    address: addressAt(network, index + 1),
  }));
  return makeScript(scriptFor(network, owner), `${network.subnet}.${THIS_MACHINE}`, members);
};

/** Makes and mends it. @throws FsError EIO if that fails, or it is not the owner's. */
export const makeNetwork = async (
  network: ClusterNetwork,
  owner: string,
  nodes: readonly string[],
): Promise<void> => {
  await run('sh', '-ec', networkScript(network, owner, nodes));
};

/** The nodes that have a namespace. */
export const nodesIn = (network: ClusterNetwork): string[] => {
  const prefix = namespaceOf(network, '');
  const there = existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : [];
  return there.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
};

/** Looked at before agents are asked; a script looks again, under its lock. */
const isOurs = ({ name }: ClusterNetwork, owner: string): boolean => {
  try {
    return ['', owner].includes(readFileSync(`/sys/class/net/${name}/ifalias`, 'utf8').trim());
  } catch {
    return true;
  }
};

const remove = async (
  network: ClusterNetwork,
  owner: string,
  nodes: readonly string[],
  script: string,
): Promise<void> => {
  if (!isOurs(network, owner)) return;
  await clearAgents(nodes.map((node) => namespaceFile(network, node)));
  await run('sh', '-ec', script);
};

/**
 * Removes all that is left of a network, if it is the owner's; nothing if there is nothing. What runs in it keeps its
 * namespace until it ends, as agents do when they hold nothing.
 */
export const removeNetwork = (network: ClusterNetwork, owner: string): Promise<void> =>
  remove(network, owner, nodesIn(network), removeScript(scriptFor(network, owner)));

/** Takes nodes out of a network that stays. */
export const removeFromNetwork = async (
  network: ClusterNetwork,
  owner: string,
  nodes: readonly string[],
): Promise<void> => {
  if (nodes.length === 0) return;
  const namespaces = nodes.map((node) => namespaceOf(network, node));
  const script = removeNodesScript(scriptFor(network, owner), namespaces);
  await remove(network, owner, nodes, script);
};
