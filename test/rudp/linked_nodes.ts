/** Named nodes with links between them, on a simulated network in virtual time. */

import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { Endpoint } from '../../rudp/endpoint.ts';
import { PeerLinks, type PeerEvent } from '../../rudp/peer_links.ts';
import { SimulatedNetwork, type LinkProfile } from '../sim/network.ts';
import { Prng } from '../sim/prng.ts';

export interface Node {
  readonly name: string;
  /** A test may move the node. */
  address: string;
  links: PeerLinks;
  events: PeerEvent[];
  alive: boolean;
  /** While false, events stay where they are. */
  reading: boolean;
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Named nodes on a simulated network. */
export class Cluster {
  readonly prng: Prng;
  readonly network: SimulatedNetwork;
  readonly nodes: Node[] = [];
  now = 0;

  constructor(seed: number, profile: Partial<LinkProfile> = {}) {
    this.prng = new Prng(seed);
    this.network = new SimulatedNetwork(this.prng.fork(), profile);
  }

  add(name: string, incarnation = 1, address = `10.0.0.${this.nodes.length + 1}:1`): Node {
    const links = this.#links(name, incarnation);
    const node: Node = { name, address, links, events: [], alive: true, reading: true };
    this.nodes.push(node);
    return node;
  }

  #links(name: string, incarnation: number): PeerLinks {
    const protection = createChecksumProtection();
    const random = this.prng.fork().next;
    const endpoint = new Endpoint({ name, incarnation, protection, random, idleTimeoutMs: 3_000 });
    return new PeerLinks(endpoint, name, 10_000);
  }

  restart(node: Node, incarnation: number): void {
    node.links = this.#links(node.name, incarnation);
    node.events = [];
    node.alive = true;
  }

  #flush(): void {
    for (const node of this.nodes) {
      if (!node.alive) continue;
      if (node.reading) this.read(node);
      for (
        let transmit = node.links.pollTransmit(this.now);
        transmit;
        transmit = node.links.pollTransmit(this.now)
      ) {
        this.network.send(node.address, transmit.to, transmit.bytes, this.now);
      }
    }
  }

  read(node: Node): void {
    for (let event = node.links.pollEvent(); event; event = node.links.pollEvent()) {
      node.events.push(event);
    }
  }

  runFor(durationMs: number): void {
    const until = this.now + durationMs;
    while (true) {
      this.#flush();
      const timers = this.nodes.map(
        ({ links, alive }) => (alive && links.nextTimeout()) || Infinity,
      );
      const delivery = this.network.nextDelivery() ?? Infinity;
      const next = Math.min(delivery, ...timers);
      if (next > until) break;
      this.now = Math.max(this.now, next);
      if (delivery <= this.now) {
        const datagram = this.network.deliver();
        const node = this.nodes.find(({ address, alive }) => alive && address === datagram?.to);
        if (datagram) node?.links.handleDatagram(datagram.from, datagram.bytes, this.now);
      }
      for (const { links, alive } of this.nodes) {
        if (alive && (links.nextTimeout() ?? Infinity) <= this.now) links.handleTimeout(this.now);
      }
    }
    this.now = until;
  }
}

/** Events in short: "up n2/1", "down n2/1", "n2: text". */
export const short = (node: Node): string[] =>
  node.events.map((event) => {
    switch (event.type) {
      case 'message':
        return `${event.peer}: ${new TextDecoder().decode(event.message)}`;
      case 'up':
      case 'down':
        return `${event.type} ${event.peer}/${event.incarnation}`;
      case 'stranger':
        return `stranger ${event.address}`;
    }
  });

export const twoNodes = (policy: 'always' | 'lower-name' = 'lower-name', seed = 1) => {
  const cluster = new Cluster(seed);
  const n1 = cluster.add('n1');
  const n2 = cluster.add('n2');
  n1.links.setPeer('n2', n2.address, policy);
  n2.links.setPeer('n1', n1.address, policy);
  return { cluster, n1, n2 };
};
