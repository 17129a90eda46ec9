/** Does I/O: what networks and agents of clusters leave on this machine, for tests that look for it. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { clusterPaths, readClusterConfig } from '../../cli/cluster_config.ts';
import { NAMESPACES } from '../../cli/network_script.ts';
import { AGENT_FOLDER } from '../../netem/agent_socket.ts';

const listed = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** Namespaces, and the device of this machine, of the network of this name. */
export const traces = (name: string): string[] =>
  [...listed(NAMESPACES), ...listed('/sys/class/net')]
    .filter((each) => each === name || each.startsWith(`${name}-`))
    .sort();

/** The name of the network that the cluster in a folder has, or had when it last ran. */
export const networkNameIn = (dir: string): string | undefined =>
  readClusterConfig(clusterPaths(dir))?.network?.name;

/** Sockets of agents, and devices by which something was tried in this machine's own namespace. */
export const agentTraces = (): string[] => [
  ...listed(AGENT_FOLDER).filter((each) => each.endsWith('.sock')),
  ...listed('/sys/class/net').filter((each) => each.startsWith('cfs-')),
];

/** Processes whose command line has this in it. */
export const processesOf = (word: string): string[] =>
  listed('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
    } catch {
      return false;
    }
  });
