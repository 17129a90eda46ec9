/**
 * Links without rudp below them: every message arrives once, in its channel's order, after a random
 * delay, until its link breaks. Fast, and it breaks links at will: what rudp promises, no more.
 */

import type { EventQueue } from './event_queue.ts';
import type { Direction } from './fault_kinds.ts';
import type { LinkListener, Links, Network, Random } from './world.ts';

interface Node {
  readonly name: string;
  readonly incarnation: number;
  readonly listener: LinkListener;
  /** Names under which others are known here, "server" or "n2#7". */
  readonly links: Map<string, Link>;
  /** Whom it dials, and dials again, under the names of nodes. */
  readonly dialled: Set<string>;
}

/** One end of a link: the node at the other end, and the name we have there. */
interface Link {
  readonly peer: Node;
  readonly nameThere: string;
  readonly epoch: { broken: boolean };
  /** Channel → when its last message arrives; a channel keeps its order. */
  readonly arrivals: Map<number, number>;
}

const REDIAL_MS = 50;

/** Everybody dials the file server; of two cachers the one with the lower name dials. */
const diallerOf = (a: string, b: string): string => {
  if (a === 'server') return b;
  return b === 'server' || a < b ? a : b;
};

export interface DirectOptions {
  readonly maxDelayMs: number;
}

export class DirectNetwork {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #options: DirectOptions;
  readonly #nodes = new Map<string, Node>();
  #healed = false;
  /** Name → until when it can be reached by nobody. */
  readonly #cutUntil = new Map<string, number>();
  broken = 0;

  constructor(queue: EventQueue, random: Random, options: DirectOptions) {
    this.#queue = queue;
    this.#random = random;
    this.#options = options;
  }

  readonly network: Network = (name, incarnation, listener) => {
    const node: Node = { name, incarnation, listener, links: new Map(), dialled: new Set() };
    this.#nodes.set(name, node);
    const links: Links = {
      send: (to, channel, bytes) => {
        this.#send(node, to, channel, bytes);
      },
      setPeer: (peer, _address, dial) => {
        if (node.dialled.has(peer)) return;
        if (dial === 'lower-name' && name > peer) return;
        node.dialled.add(peer);
        this.#dial(node, peer);
      },
      removePeer: (peer) => {
        node.dialled.delete(peer);
        this.#break(node, peer);
      },
      stop: () => {
        this.#remove(node);
      },
      kill: () => {
        this.#remove(node);
      },
      pause: () => {
        // What arrives waits in the core's shell; there is nothing below it that could stand still.
      },
    };
    return links;
  };

  #remove(node: Node): void {
    if (this.#nodes.get(node.name) === node) this.#nodes.delete(node.name);
    for (const peer of [...node.links.keys()]) this.#break(node, peer);
  }

  #dial(node: Node, peerName: string): void {
    this.#queue.after(this.#random() * this.#options.maxDelayMs, () => {
      const peer = this.#nodes.get(peerName);
      if (this.#nodes.get(node.name) !== node || !node.dialled.has(peerName)) return;
      if (node.links.has(peerName)) return;
      if (peer === undefined || this.#isCutOff(node.name) || this.#isCutOff(peerName)) {
        this.#queue.after(REDIAL_MS, () => {
          this.#dial(node, peerName);
        });
        return;
      }
      // A cacher's peers know it by its name; to the file server it is one of many strangers.
      const nameThere = peerName === 'server' ? `${node.name}#${node.incarnation}` : node.name;
      const epoch = { broken: false };
      node.links.set(peerName, { peer, nameThere, epoch, arrivals: new Map() });
      peer.links.set(nameThere, { peer: node, nameThere: peerName, epoch, arrivals: new Map() });
      node.listener.up(peerName);
      peer.listener.up(nameThere);
    });
  }

  #send(node: Node, to: string, channel: number, bytes: Uint8Array): void {
    const link = node.links.get(to);
    if (link === undefined) return;
    const { maxDelayMs } = this.#options;
    const earliest = link.arrivals.get(channel) ?? 0;
    const at = Math.max(earliest, this.#queue.now + this.#random() ** 3 * maxDelayMs);
    link.arrivals.set(channel, at);
    this.#queue.at(at, () => {
      if (!link.epoch.broken) link.peer.listener.message(link.nameThere, bytes);
    });
  }

  /** A node has no links for a while, whichever direction is cut: links without rudp know no half ones. */
  cutOff(name: string, _direction: Direction, forMs: number): void {
    const until = this.#queue.now + forMs;
    this.#cutUntil.set(name, Math.max(until, this.#cutUntil.get(name) ?? 0));
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    for (const peer of [...node.links.keys()]) this.#break(node, peer);
  }

  #isCutOff(name: string): boolean {
    return this.#queue.now < (this.#cutUntil.get(name) ?? 0);
  }

  /** From here on no link breaks. */
  heal(): void {
    this.#healed = true;
  }

  /** Breaks a random link: what is under way on it is lost; the dialler dials again. */
  breakOne(): void {
    if (this.#healed) return;
    const nodes = [...this.#nodes.values()].filter((node) => node.links.size > 0);
    const node = nodes[Math.floor(this.#random() * nodes.length)];
    if (node === undefined) return;
    const peers = [...node.links.keys()];
    const peer = peers[Math.floor(this.#random() * peers.length)];
    if (peer === undefined) return;
    this.broken++;
    this.#break(node, peer);
  }

  #break(node: Node, peerName: string): void {
    const link = node.links.get(peerName);
    if (link === undefined || link.epoch.broken) return;
    link.epoch.broken = true;
    node.links.delete(peerName);
    link.peer.links.delete(link.nameThere);
    const there = this.#nodes.get(link.peer.name) === link.peer;
    const here = this.#nodes.get(node.name) === node;
    if (there) link.peer.listener.down(link.nameThere);
    if (here) node.listener.down(peerName);
    // Whoever dials goes on dialling, also for a peer that is gone: it may start again.
    const dialler = diallerOf(node.name, link.peer.name);
    if (dialler === node.name && here) this.#dial(node, link.peer.name);
    if (dialler === link.peer.name && there) this.#dial(link.peer, node.name);
  }
}
