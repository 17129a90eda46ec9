/**
 * Does I/O: the program of a User-Mode Linux that runs a cluster of real daemons, each in a network namespace of
 * its own, has two applications carry out request sets over a profile that loses, and has their history checked.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  clusterPaths,
  makeClusterFolders,
  writeClusterConfig,
} from '../../../cli/cluster_config.ts';
import { clusterInNamespaces } from '../../../cli/netem_namespaces.ts';
import { formatDuration } from '../../../cli/option_values.ts';
import { profileNamed } from '../../../netem/profile_file.ts';
import type { NodeId } from '../../../protocol/ids.ts';
import { Namespaces } from '../namespaces.ts';
import { Agents, folder, orders, tell } from './guest.ts';
import { CACHERS, NODES, type DaemonOrders } from './records.ts';
import { CONFIG, DISK, KEY, setOf } from './small_cluster.ts';

type Node = (typeof NODES)[number];

const PROGRAM = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
/** In a folder that can be written. */
const paths = clusterPaths('/run/cluster');

const { profile } = orders() as DaemonOrders;
const spaces = new Namespaces(NODES);
makeClusterFolders(paths);
copyFileSync(join(folder, DISK), paths.disk);
copyFileSync(join(folder, KEY), paths.key);

/** The words that run the command in the namespace of a node. */
const inNamespace = (node: string, args: readonly string[]): string[] => [
  ...['netns', 'exec', spaces.of(node), process.execPath, PROGRAM],
  ...args,
];

/** Starts a daemon; resolves when it serves. */
const start = (node: string, args: readonly string[]): Promise<ChildProcess> =>
  new Promise((resolve, reject) => {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const child = spawn('ip', inNamespace(node, args), { stdio: [...stdio] });
    child.once('message', () => {
      resolve(child);
    });
    child.once('exit', (status) => {
      reject(new Error(`${node} ended at its start with status ${String(status)}`));
    });
  });

const at = (node: Node): string => `${spaces.address(node)}:${portOf(node)}`;
const portOf = (node: Node): number =>
  CONFIG.nodes.find(({ name }) => name === node)?.port ?? CONFIG.serverPort;

const serverArguments = (): string[] => [
  ...['server', '--disk', paths.disk, '--listen', at('server'), '--key-file', paths.key],
  ...['--lease', formatDuration(CONFIG.leaseMs), '--heartbeat', formatDuration(CONFIG.heartbeatMs)],
];
const cacherArguments = (node: Node): string[] => [
  ...['cacher', '--node', node, '--server', at('server'), '--listen', at(node)],
  ...['--socket', paths.socket(node as NodeId), '--key-file', paths.key],
];

// Before the daemons, which leave little of this kernel to others.
const namespaces = NODES.map((node) => ({ node, namespace: spaces.of(node) }));
const agents = await Agents.reach(await clusterInNamespaces(namespaces));

writeClusterConfig(paths, { ...CONFIG, host: spaces.address('server') });
const daemons = [await start('server', serverArguments())];
daemons.push(...(await Promise.all(CACHERS.map((node) => start(node, cacherArguments(node))))));

await agents.apply(profileNamed(profile), { kind: 'all' });

const assignments = CACHERS.map((node) => `${node}=${join(folder, setOf(node))}`);
const run = inNamespace('n1', ['run', '--dir', paths.root, '--check', ...assignments]);
const outcome = await new Promise<object>((resolve) => {
  execFile('ip', run, (error, out, err) => {
    resolve({ status: error === null ? 0 : (error.code ?? -1), out, err });
  });
});
/** Datagrams that the kernel has lost on purpose, of all that it has had. */
const queues = NODES.map((node) => spaces.run(node, 'tc -s qdisc show dev e0')).join('\n');
const netem = queues.split(/^(?=qdisc )/m).filter((each) => each.startsWith('qdisc netem'));
const sumOf = (pattern: RegExp): number =>
  netem.reduce((sum, each) => sum + Number(pattern.exec(each)?.[1]), 0);
tell({ run: outcome, sent: sumOf(/ (\d+) pkt/), dropped: sumOf(/dropped (\d+)/) });

await agents.clear();
agents.close();
const ended = daemons.map((child) => new Promise((resolve) => child.once('exit', resolve)));
for (const child of daemons) child.kill('SIGTERM');
tell({
  stopped: await Promise.all(ended),
  leftovers: NODES.flatMap((node) => spaces.leftovers(node)),
});
await spaces.remove();
