/** Endpoints on a simulated network, in virtual time: what quinn-proto calls a Pair. */

import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import type { ConnectionHandle } from '../../rudp/connection.ts';
import { Endpoint, type EndpointEvent } from '../../rudp/endpoint.ts';
import type { EndpointOptions } from '../../rudp/options.ts';
import { SimulatedNetwork, type LinkProfile } from '../sim/network.ts';
import { Prng } from '../sim/prng.ts';

export const CLIENT = '10.0.0.1:1000';
export const SERVER = '10.0.0.2:2000';

/** One endpoint with all it has told its user. */
export class SimulatedNode {
  /** A test may move the node. */
  address: string;
  endpoint: Endpoint;
  readonly events: EndpointEvent[] = [];
  /** While false, events stay in the endpoint, as with an application that is busy. */
  reading = true;

  constructor(address: string, endpoint: Endpoint) {
    this.address = address;
    this.endpoint = endpoint;
  }

  /** The events of one type, in order. */
  of<Type extends EndpointEvent['type']>(type: Type): Extract<EndpointEvent, { type: Type }>[] {
    return this.events.filter(
      (event): event is Extract<EndpointEvent, { type: Type }> => event.type === type,
    );
  }

  /** The connection that was connected last. */
  get connection(): ConnectionHandle {
    return this.of('connected').at(-1)?.connection ?? 0;
  }
}

/** A run that takes more steps than this does not end. */
const MAX_STEPS = 3_000_000;

export class SimulatedPair {
  readonly prng: Prng;
  readonly network: SimulatedNetwork;
  readonly client: SimulatedNode;
  readonly server: SimulatedNode;
  now = 0;
  /** How often the clock of both nodes moves on, and their timers fire; 0 for always. */
  tickMs = 0;
  /** Called after every step; a place for invariants. */
  afterStep: () => void = () => undefined;
  /** Called for every event as it is read, before it is kept in `events`. */
  onEvent: (node: SimulatedNode, event: EndpointEvent) => void = () => undefined;
  /** Bytes sent, by "from>to". */
  readonly sentBytes = new Map<string, number>();

  constructor(
    seed: number,
    profile: Partial<LinkProfile> = {},
    options: { client?: Partial<EndpointOptions>; server?: Partial<EndpointOptions> } = {},
  ) {
    this.prng = new Prng(seed);
    this.network = new SimulatedNetwork(this.prng.fork(), profile);
    this.client = new SimulatedNode(CLIENT, this.createEndpoint('client', 1, options.client));
    this.server = new SimulatedNode(SERVER, this.createEndpoint('server', 1, options.server));
  }

  createEndpoint(
    name: string,
    incarnation: number,
    options: Partial<EndpointOptions> = {},
  ): Endpoint {
    return new Endpoint({
      name,
      incarnation,
      protection: createChecksumProtection(),
      random: this.prng.fork().next,
      ...options,
    });
  }

  /** What the nodes take the time for. */
  get clock(): number {
    return this.tickMs === 0 ? this.now : Math.floor(this.now / this.tickMs) * this.tickMs;
  }

  /** When a timer fires that was set for `at`. */
  #firesAt(at: number): number {
    return this.tickMs === 0 ? at : Math.ceil(at / this.tickMs) * this.tickMs;
  }

  get nodes(): readonly SimulatedNode[] {
    return [this.client, this.server];
  }

  /** Sends and reads until neither endpoint has anything more to do at this moment. */
  flush(): void {
    for (const node of this.nodes) {
      this.#readEvents(node);
      for (
        let transmit = node.endpoint.pollTransmit(this.clock);
        transmit !== undefined;
        transmit = node.endpoint.pollTransmit(this.clock)
      ) {
        const link = `${node.address}>${transmit.to}`;
        this.sentBytes.set(link, (this.sentBytes.get(link) ?? 0) + transmit.bytes.length);
        this.network.send(node.address, transmit.to, transmit.bytes, this.now);
      }
    }
  }

  #readEvents(node: SimulatedNode): void {
    if (!node.reading) return;
    for (
      let event = node.endpoint.pollEvent();
      event !== undefined;
      event = node.endpoint.pollEvent()
    ) {
      this.onEvent(node, event);
      node.events.push(event);
    }
  }

  /** Goes on to the next delivery or timer; false if there is none before `until`. */
  step(until = Number.POSITIVE_INFINITY): boolean {
    this.flush();
    const timers = this.nodes.map((node) => this.#firesAt(node.endpoint.nextTimeout() ?? Infinity));
    const delivery = this.network.nextDelivery() ?? Infinity;
    const next = Math.min(delivery, ...timers);
    if (next === Infinity || next > until) return false;
    this.now = Math.max(this.now, next);
    if (delivery <= this.now) {
      const datagram = this.network.deliver();
      const node = this.nodes.find(({ address }) => address === datagram?.to);
      if (datagram) node?.endpoint.handleDatagram(datagram.from, datagram.bytes, this.clock);
    }
    for (const node of this.nodes) {
      if ((node.endpoint.nextTimeout() ?? Infinity) <= this.clock) {
        node.endpoint.handleTimeout(this.clock);
      }
    }
    this.flush();
    this.afterStep();
    return true;
  }

  /** Runs until `done`; throws if the network falls silent or never ends before. */
  runUntil(done: () => boolean, what: string): void {
    for (let steps = 0; !done(); steps += 1) {
      if (steps > MAX_STEPS || !this.step()) {
        throw new Error(`seed ${this.prng.seed}: ${what} did not happen by ${this.now} ms`);
      }
    }
  }

  /** Lets `durationMs` of virtual time pass. */
  runFor(durationMs: number): void {
    const until = this.now + durationMs;
    while (this.step(until));
    this.now = until;
  }

  /** Makes a connection; both sides know of it afterwards. */
  connect(): void {
    const before = this.server.of('connected').length;
    const handle = this.client.endpoint.connect(SERVER, this.clock);
    this.runUntil(
      () =>
        this.server.of('connected').length > before &&
        this.client.of('connected').some(({ connection }) => connection === handle),
      'the handshake',
    );
  }

  /** Sends from the client on its newest connection. */
  send(message: Uint8Array, channel = 0): void {
    this.client.endpoint.send(this.client.connection, message, { channel }, this.clock);
  }
}

/** Runs `test` under each seed; a failure names the seed, which replays it. */
export const underSeeds = (seeds: readonly number[], test: (seed: number) => void): void => {
  for (const seed of seeds) {
    try {
      test(seed);
    } catch (error) {
      throw new Error(`failed under seed ${seed}; underSeeds([${seed}], …) replays it`, {
        cause: error,
      });
    }
  }
};
