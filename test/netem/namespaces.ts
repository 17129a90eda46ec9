/** Does I/O: network namespaces on one bridge, for tests of the engine `tc`. */

import { execFileSync } from 'node:child_process';

const sh = (script: string): string =>
  execFileSync('sh', ['-ec', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Why there can be no namespaces here; undefined if there can. */
export const namespacesUnavailable = (): string | undefined => {
  if (process.getuid?.() !== 0) return 'it needs root';
  try {
    sh('command -v tc ip nsenter');
    return undefined;
  } catch {
    return 'it needs tc, ip (iproute2) and nsenter (util-linux)';
  }
};

export class Namespaces {
  readonly nodes: readonly string[];
  readonly #prefix: string;

  /** One namespace a node, with the device e0, and one for the bridge between them. */
  constructor(nodes: readonly string[]) {
    this.nodes = nodes;
    this.#prefix = `coopfs${process.pid}`;
    const bridge = `${this.#prefix}-bridge`;
    sh(`ip netns add ${bridge}
      ip -n ${bridge} link add br0 type bridge
      ip -n ${bridge} link set br0 up`);
    for (const [index, node] of nodes.entries()) {
      const own = this.of(node);
      sh(`ip netns add ${own}
        ip -n ${own} link set lo up
        ip link add e0 netns ${own} type veth peer name p${index} netns ${bridge}
        ip -n ${bridge} link set p${index} master br0 up
        ip -n ${own} addr add ${this.address(node)}/24 dev e0
        ip -n ${own} link set e0 up`);
    }
  }

  of(node: string): string {
    return `${this.#prefix}-${node}`;
  }

  address(node: string): string {
    return `10.79.0.${this.nodes.indexOf(node) + 1}`;
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

  remove(): void {
    for (const name of [...this.nodes, 'bridge']) sh(`ip netns del ${this.of(name)}`);
  }
}
