/**
 * Does I/O: a network of its own for a local cluster, for the engine `tc`: a network namespace for each daemon,
 * one for the bridge between them, and a device of this machine, by which it reaches them all.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { isInstalled } from '../netem/installed.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { UsageError } from './exit_status.ts';

/** Where `ip netns` has the namespaces. */
export const NAMESPACES = '/run/netns';
const TOOLS = ['ip', 'nsenter'];
/** A device's name has at most 15 characters (IFNAMSIZ of the kernel), of which "coopfs" are six. */
const HASH_DIGITS = 8;
const HUB = 'hub';
/** Of 10.64.0.0/10, a part of what is private (RFC 1918) that few use: the subnets are /24. */
const SECOND_BYTE_FROM = 64;
const SECOND_BYTES = 64;
const BYTE = 256;
const SUBNETS = SECOND_BYTES * BYTE;
const PLACES_TRIED = 512;
/** The last place of a subnet; that of the file server is the first one. */
export const THIS_MACHINE = 254;

export interface ClusterNetwork {
  /** Of the device of this machine, and the beginning of the names of all namespaces. */
  readonly name: string;
  /** The first three bytes of all addresses, such as 10.77.3. */
  readonly subnet: string;
}

/** The name is the folder's: whatever is left of it is found again. */
export const networkName = (root: string): string =>
  `coopfs${createHash('sha256').update(root).digest('hex').slice(0, HASH_DIGITS)}`;

export const namespaceOf = ({ name }: Pick<ClusterNetwork, 'name'>, node: string): string =>
  `${name}-${node}`;

export const namespaceFile = (network: ClusterNetwork, node: string): string =>
  join(NAMESPACES, namespaceOf(network, node));

/** The words that start a command in the namespace of a node. */
export const enterWords = (network: ClusterNetwork, node: string): string[] => [
  'nsenter',
  `--net=${namespaceFile(network, node)}`,
  '--',
];

export const addressAt = ({ subnet }: ClusterNetwork, place: number): string => {
  if (place < THIS_MACHINE) return `${subnet}.${place}`;
  throw new UsageError(
    `a cluster in namespaces has at most ${THIS_MACHINE - 2} cachers: expected fewer, or a cluster without --namespaces`,
  );
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

/** Shell commands that make the bridge, and the way to it from this machine. */
export const hubScript = (network: ClusterNetwork): string => {
  const hub = namespaceOf(network, HUB);
  return `ip netns add ${hub}
    ip -n ${hub} link add br0 type bridge
    ip -n ${hub} link set br0 up
    ip link add ${network.name} type veth peer name host netns ${hub}
    ip -n ${hub} link set host master br0 up
    ip addr add ${network.subnet}.${THIS_MACHINE}/24 dev ${network.name}
    ip link set ${network.name} up
    `;
};

/** Shell commands that make the namespace of a node, with the device e0, which has an address. */
export const nodeScript = (network: ClusterNetwork, node: string, place: number): string => {
  const [own, hub] = [namespaceOf(network, node), namespaceOf(network, HUB)];
  return `ip netns add ${own}
    ip -n ${own} link set lo up
    ip link add e0 netns ${own} type veth peer name p${place} netns ${hub}
    ip -n ${hub} link set p${place} master br0 up
    ip -n ${own} addr add ${addressAt(network, place)}/24 dev e0
    ip -n ${own} link set e0 up
    `;
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

/** One that no route of this machine leads into, looked for from a place that the name tells. */
const freeSubnet = async (name: string): Promise<string> => {
  const shown = await run('ip', '-json', '-4', 'route', 'show', 'table', 'all');
  const taken = routes.parse(JSON.parse(shown)).map(({ dst }) => dst);
  const first = createHash('sha256').update(name).digest().readUInt16BE();
  for (let at = first; at < first + PLACES_TRIED; at += 1) {
    const number = at % SUBNETS;
    const subnet = `10.${SECOND_BYTE_FROM + Math.floor(number / BYTE)}.${number % BYTE}`;
    if (!taken.some((dst) => dst.startsWith(`${subnet}.`))) return subnet;
  }
  throw new FsError('EIO', 'the network of the cluster: no subnet of 10.64.0.0/10 is free');
};

/** The names of all namespaces that a network has. */
const namespacesOf = (name: string): string[] =>
  existsSync(NAMESPACES)
    ? readdirSync(NAMESPACES).filter((each) => each.startsWith(`${name}-`))
    : [];

const deleteNamespaces = async (names: readonly string[]): Promise<void> => {
  if (names.length > 0) {
    await run('sh', '-ec', names.map((each) => `ip netns del ${each}`).join('\n'));
  }
};

/** Removes all that is left of a network; nothing if there is nothing. What runs in it keeps its namespace until it ends. */
export const removeNetwork = async (name: string): Promise<void> => {
  const namespaces = namespacesOf(name);
  // First: with a namespace the kernel takes its devices away some time later.
  if (existsSync(`/sys/class/net/${name}`)) await run('ip', 'link', 'del', name);
  await deleteNamespaces(namespaces);
};

/** A network for the cluster of this folder, to be made. @throws UsageError if there can be none here. */
export const planNetwork = async (root: string): Promise<ClusterNetwork> => {
  const reason = networkUnavailable();
  if (reason !== undefined) throw new UsageError(`--namespaces cannot be had: ${reason}`);
  const name = networkName(root);
  return { name, subnet: await freeSubnet(name) };
};

/** Makes what is not there yet, a namespace for each of these nodes in the order of their places. */
export const makeNetwork = async (
  network: ClusterNetwork,
  nodes: readonly string[],
): Promise<void> => {
  const hub = existsSync(namespaceFile(network, HUB)) ? [] : [hubScript(network)];
  const missing = nodes.flatMap((node, index) =>
    existsSync(namespaceFile(network, node)) ? [] : [nodeScript(network, node, index + 1)],
  );
  await run('sh', '-ec', [...hub, ...missing].join(''));
};

/** Takes nodes out of a network that stays. */
export const removeFromNetwork = async (
  network: ClusterNetwork,
  nodes: readonly string[],
): Promise<void> => {
  const theirs = nodes.map((node) => namespaceOf(network, node));
  const there = namespacesOf(network.name).filter((each) => theirs.includes(each));
  await deleteNamespaces(there);
};
