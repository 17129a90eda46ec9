/** Does I/O: network namespaces on one bridge, for tests of the engine `tc`. */

import { execFileSync } from 'node:child_process';
import {
  addressAt,
  namespaceOf,
  networkScript,
  networkUnavailable,
  removeNetwork,
} from '../../cli/cluster_network.ts';
import { isInstalled } from '../../netem/installed.ts';

const sh = (script: string): string =>
  execFileSync('sh', ['-ec', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Why there can be no namespaces, or no losses in them; undefined if there can. Who has netem needs no nftables. */
export const queuesUnavailable = (): string | undefined =>
  networkUnavailable() ?? (isInstalled('nft') ? undefined : 'it needs nft (nftables)');

export class Namespaces {
  readonly nodes: readonly string[];
  readonly #network = { name: `coopfs${process.pid}`, subnet: '10.79.0' };
  readonly #owner = `coopfs test ${process.pid}`;

  /** One namespace a node, with the device e0, on one bridge. */
  constructor(nodes: readonly string[]) {
    this.nodes = nodes;
    sh(networkScript(this.#network, this.#owner, nodes));
  }

  of(node: string): string {
    return namespaceOf(this.#network, node);
  }

  address(node: string): string {
    return addressAt(this.#network, this.nodes.indexOf(node) + 1);
  }

  /** For --netns. */
  get option(): string {
    return this.nodes.map((node) => `${node}=${this.of(node)}`).join(',');
  }

  run(node: string, command: string): string {
    return sh(`ip netns exec ${this.of(node)} ${command}`);
  }

  /** The qdiscs and devices of a node that the kernel has not put there itself. */
  leftovers(node: string): string[] {
    const own = this.of(node);
    const lines = sh(`tc -n ${own} qdisc show; ip -n ${own} -o link show`).split('\n');
    const usual = /^(qdisc noqueue 0: dev (lo|e0) |\d+: (lo|e0)[:@]|$)/;
    return lines.filter((line) => !usual.test(line));
  }

  remove(): Promise<void> {
    return removeNetwork(this.#network, this.#owner);
  }
}
