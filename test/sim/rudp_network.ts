/** Links over the real rudp cores: the very bytes of the wire, on a network that loses and damages them. */

import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { Endpoint } from '../../rudp/endpoint.ts';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';
import { PeerLinks } from '../../rudp/peer_links.ts';
import type { Protection } from '../../rudp/protection.ts';
import type { EventQueue } from './event_queue.ts';
import type { Direction } from './fault_kinds.ts';
import { SimulatedNetwork, type LinkProfile } from './network.ts';
import type { Prng } from './prng.ts';
import type { SimulationOptions } from './simulation_options.ts';
import type { LinkListener, Links, Network } from './world.ts';

const CLOSE_CODE = 0;
const KEY = new Uint8Array(32).fill(0x4b);
/** A link that has nothing to say sends so many packets within an idle timeout. */
const KEEPALIVES = 5;
/** A cut lasts up to this: some break the link, some are over before anyone gives up. */
const CUT_MS = 4000;

/** One node's endpoint, driven by virtual time. */
class SimulatedLinks implements Links {
  readonly #name: string;
  readonly #owner: RudpNetwork;
  readonly #listener: LinkListener;
  readonly #links: PeerLinks;
  #timerMs = Infinity;
  #stopped = false;
  #draining = false;
  #pausedUntilMs = 0;

  constructor(owner: RudpNetwork, name: string, incarnation: number, listener: LinkListener) {
    this.#name = name;
    this.#owner = owner;
    this.#listener = listener;
    const protection = owner.createProtection();
    const random = owner.random.fork().next;
    const endpoint = new Endpoint({
      name,
      incarnation,
      protection,
      random,
      idleTimeoutMs: owner.idleTimeoutMs,
      keepaliveMs: owner.idleTimeoutMs / KEEPALIVES,
    });
    this.#links = new PeerLinks(endpoint, name);
  }

  readonly send: Links['send'] = (to, channel, bytes, priority): void => {
    if (this.#stopped) return;
    this.#links.send(to, channel, bytes, this.#owner.queue.now, priority);
    this.#drain();
  };

  readonly setPeer: Links['setPeer'] = (name, address, dial, incarnation): void => {
    this.#links.setPeer(name, address, dial, incarnation);
    this.#drain();
  };

  readonly removePeer = (name: string): void => {
    this.#links.removePeer(name, this.#owner.queue.now);
    this.#drain();
  };

  readonly stop = (): void => {
    this.#links.closeAll(CLOSE_CODE, 'stopped', this.#owner.queue.now);
    this.#drain();
    this.#stopped = true;
  };

  readonly kill = (): void => {
    this.#stopped = true;
  };

  readonly pause = (untilMs: number): void => {
    this.#pausedUntilMs = untilMs;
  };

  receive(from: string, bytes: Uint8Array): void {
    if (this.#stopped) return;
    const { queue } = this.#owner;
    if (queue.now < this.#pausedUntilMs) {
      queue.at(this.#pausedUntilMs, () => {
        this.receive(from, bytes);
      });
      return;
    }
    this.#links.handleDatagram(from, bytes, this.#owner.queue.now);
    this.#drain();
  }

  /** Sends what is to be sent, tells what is to be told. Listeners may send: that is drained too. */
  #drain(): void {
    if (this.#draining || this.#stopped) return;
    this.#draining = true;
    const { queue } = this.#owner;
    const { now } = queue;
    for (let event = this.#links.pollEvent(); event; event = this.#links.pollEvent()) {
      if (event.type === 'up') this.#listener.up(event.peer);
      if (event.type === 'down') this.#listener.down(event.peer);
      if (event.type === 'message') this.#listener.message(event.peer, event.message);
    }
    for (let next = this.#links.pollTransmit(now); next; next = this.#links.pollTransmit(now)) {
      this.#owner.transmit(this.#name, next.to, next.bytes);
    }
    this.#draining = false;
    this.#armTimer(this.#links.nextTimeout() ?? Infinity);
  }

  #armTimer(due: number): void {
    if (due >= this.#timerMs || due === Infinity) return;
    this.#timerMs = due;
    this.#owner.queue.at(Math.max(due, this.#pausedUntilMs), () => {
      if (this.#timerMs !== due) return;
      if (this.#owner.queue.now < this.#pausedUntilMs) {
        this.#timerMs = Infinity;
        this.#armTimer(due);
        return;
      }
      this.#timerMs = Infinity;
      if (this.#stopped) return;
      this.#links.handleTimeout(this.#owner.queue.now);
      this.#drain();
    });
  }
}

export class RudpNetwork {
  readonly queue: EventQueue;
  readonly random: Prng;
  readonly #network: SimulatedNetwork;
  readonly #nodes = new Map<string, SimulatedLinks>();
  readonly #apart: readonly string[];
  broken = 0;

  readonly #encrypted: boolean;
  readonly idleTimeoutMs: number;

  /** Between nodes of `apart` nothing gets through, for the whole run. */
  constructor(
    queue: EventQueue,
    random: Prng,
    profile: Partial<LinkProfile>,
    { encrypted, idleTimeoutMs }: Pick<SimulationOptions, 'encrypted' | 'idleTimeoutMs'>,
    apart: readonly string[] = [],
  ) {
    this.queue = queue;
    this.random = random;
    this.#encrypted = encrypted;
    this.idleTimeoutMs = idleTimeoutMs;
    this.#apart = apart;
    this.#network = new SimulatedNetwork(random.fork(), profile);
  }

  /** Also what is random in a handshake follows from the seed. */
  createProtection(): Protection {
    if (!this.#encrypted) return createChecksumProtection();
    const random = this.random.fork();
    return createNoiseProtection({ keys: [KEY], randomBytes: (count) => random.bytes(count) });
  }

  get counters(): SimulatedNetwork['counters'] {
    return this.#network.counters;
  }

  readonly network: Network = (name, incarnation, listener) => {
    const links = new SimulatedLinks(this, name, incarnation, listener);
    this.#nodes.set(name, links);
    return links;
  };

  transmit(from: string, to: string, bytes: Uint8Array): void {
    if (this.#apart.includes(from) && this.#apart.includes(to)) return;
    const before = this.#network.inFlight;
    this.#network.send(from, to, bytes, this.queue.now);
    const added = this.#network.inFlight - before;
    // One event for every datagram under way; each takes the earliest there is.
    if (added > 0) this.#plan();
  }

  #plan(): void {
    const at = this.#network.nextDelivery();
    if (at === undefined) return;
    this.queue.at(at, () => {
      this.#deliver();
    });
  }

  #deliver(): void {
    const at = this.#network.nextDelivery();
    if (at === undefined || at > this.queue.now) return;
    const delivery = this.#network.deliver();
    this.#plan();
    if (delivery === undefined) return;
    this.#nodes.get(delivery.to)?.receive(delivery.from, delivery.bytes);
  }

  /** The network is whole from here on: nothing more is lost, damaged or late. */
  heal(): void {
    const { delayMs } = this.#network.linkOf('', '');
    this.#network.setDefaults({
      delayMs,
      jitterMs: 0,
      loss: 0,
      duplicate: 0,
      reorder: 0,
      corrupt: 0,
      profile: undefined,
    });
  }

  /** Loses for a while what a node sends to the others, what they send to it, or both. */
  cutOff(name: string, direction: Direction, forMs: number): void {
    for (const other of this.#nodes.keys()) {
      if (other === name) continue;
      if (direction !== 'to') this.#cut(name, other, forMs);
      if (direction !== 'from') this.#cut(other, name, forMs);
    }
  }

  #cut(from: string, to: string, forMs: number): void {
    this.#network.setLink(from, to, { loss: 1 });
    this.queue.after(forMs, () => {
      this.#network.clearLink(from, to);
    });
  }

  /** Cuts a random link for a while, in one direction or in both. */
  breakOne(): void {
    const names = [...this.#nodes.keys()];
    const from = names[this.random.below(names.length)];
    const to = names[this.random.below(names.length)];
    if (from === undefined || to === undefined || from === to) return;
    this.broken++;
    const directions = this.random.chance(0.5)
      ? [[from, to]]
      : [
          [from, to],
          [to, from],
        ];
    const forMs = this.random.next() * CUT_MS;
    for (const [a, b] of directions) if (a && b) this.#cut(a, b, forMs);
  }
}
