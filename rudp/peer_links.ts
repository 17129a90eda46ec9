/**
 * One connection per pair of named nodes, over an endpoint: dials, dials again, picks one of two
 * connections that crossed, and keeps the lives of a peer apart. Sans-I/O like the endpoint.
 *
 * Keys. A peer that was named by `setPeer` has its bare name as key. Everybody else who dials us
 * has `name#incarnation`, so that two clients of one name are two peers. A connection from outside
 * takes the bare name only if it comes from the address that was set ('' stands for any).
 */

import type { ConnectionHandle } from './connection.ts';
import type { Endpoint, EndpointEvent, Transmit } from './endpoint.ts';
import { CLOSE, RudpError, type CloseReason } from './errors.ts';
import { Fifo } from './fifo.ts';
import { chargeOf } from './flow_control.ts';
import type { Millis } from './millis.ts';
import type { PeerEvent, PeerKey } from './peer_event.ts';
import type { Priority } from './priorities.ts';
import type { ConnectionStats } from './stats.ts';

/** Who dials: we, the peer, or the one of the two with the lower name. */
export type DialPolicy = 'always' | 'never' | 'lower-name';

export type { PeerEvent, PeerKey } from './peer_event.ts';

const FIRST_REDIAL_MS: Millis = 50;
const MAX_REDIAL_MS: Millis = 1000;
/** Bytes that wait for the link of one peer to come up. */
const DEFAULT_QUEUE_BYTES = 4 * 1024 * 1024;

interface Link {
  readonly connection: ConnectionHandle;
  /** Changes when the peer is set after it has dialled us. */
  key: PeerKey;
  readonly name: string;
  readonly incarnation: number;
  address: string;
  readonly initiator: boolean;
}

interface Queued {
  readonly channel: number;
  readonly message: Uint8Array;
  readonly priority: Priority;
}

interface SetPeer {
  readonly name: string;
  address: string;
  /** The life that was named last; undefined for whichever is there. */
  incarnation: number | undefined;
  dials: boolean;
  dialing: ConnectionHandle | undefined;
  dialAt: Millis;
  redialMs: Millis;
  readonly queue: Fifo<Queued>;
  queuedBytes: number;
}

export const anonymousKey = (name: string, incarnation: number): PeerKey =>
  `${name}#${incarnation}`;

export class PeerLinks {
  readonly #endpoint: Endpoint;
  readonly #localName: string;
  readonly #queueBytes: number;
  readonly #peers = new Map<string, SetPeer>();
  readonly #links = new Map<PeerKey, Link>();
  readonly #byConnection = new Map<ConnectionHandle, Link>();
  readonly #events = new Fifo<PeerEvent>();
  #now: Millis = 0;

  constructor(endpoint: Endpoint, localName: string, queueBytes = DEFAULT_QUEUE_BYTES) {
    this.#endpoint = endpoint;
    this.#localName = localName;
    this.#queueBytes = queueBytes;
  }

  /**
   * Names a peer, where it is and which life of it, or changes that; any life will do if none is named. A link to
   * another address goes down. So does a link to another life when a new one is named: whoever names it knows before
   * a timer of ours does that the former one is over, and what waited for that is dropped. A link that the peer has
   * made already goes over from its anonymous key to the bare name.
   */
  setPeer(name: string, address: string, dial: DialPolicy, incarnation?: number): void {
    const dials = dial === 'always' || (dial === 'lower-name' && this.#localName < name);
    const known = this.#peers.get(name);
    if (known === undefined) {
      const idle = { dialing: undefined, dialAt: 0, redialMs: FIRST_REDIAL_MS };
      const queue = { queue: new Fifo<Queued>(), queuedBytes: 0 };
      const peer = { name, address, incarnation, dials, ...idle, ...queue };
      this.#peers.set(name, peer);
      this.#adopt(peer);
      return;
    }
    const moved = known.address !== address;
    const reborn = known.incarnation !== incarnation;
    Object.assign(known, { address, incarnation, dials });
    if (reborn) dropQueue(known);
    if (moved || reborn) this.#startAnew(known, moved, reborn);
  }

  /** Nothing that was begun with the peer as it was named before stands in the way of it as it is named now. */
  #startAnew(peer: SetPeer, moved: boolean, reborn: boolean): void {
    const { name, address, incarnation } = peer;
    const link = this.#links.get(name);
    if (link !== undefined && reborn && !isLife(link, incarnation)) {
      this.#cut(link, { code: CLOSE.superseded, reason: 'a new life of the peer' });
    } else if (link !== undefined && moved && !isAt(link, address)) {
      this.#cut(link, { code: CLOSE.none, reason: `${name} is now at ${address}` });
    }
    this.#stopDialing(peer);
    peer.redialMs = FIRST_REDIAL_MS;
    if (!this.#links.has(name)) this.#adopt(peer);
  }

  /** Gives the newest life of the peer, of those that are meant, that has dialled us already its bare name. */
  #adopt({ name, address, incarnation }: SetPeer): void {
    const newest = [...this.#links.values()]
      .filter((link) => link.key !== name && link.name === name)
      .filter((link) => isAt(link, address) && isLife(link, incarnation))
      .sort((a, b) => b.incarnation - a.incarnation)[0];
    if (newest === undefined) return;
    this.#takeDown(newest, `from here on its key is ${name}`);
    newest.key = name;
    this.#bringUp(newest);
  }

  /** Forgets a peer: its link goes down, what is queued for it is dropped. */
  removePeer(name: string, now: Millis): void {
    this.#now = now;
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    this.#peers.delete(name);
    this.#stopDialing(peer);
    const link = this.#links.get(name);
    if (link !== undefined) this.#cut(link, { code: CLOSE.none, reason: 'the peer was removed' });
  }

  /**
   * Sends, or queues until the link is up. The bytes belong to the link from here on. False if
   * nobody has that key, or the queue or send buffer is full: the message is dropped.
   * @throws RudpError 'too-large' or 'invalid'.
   */
  send(
    key: PeerKey,
    channel: number,
    message: Uint8Array,
    now: Millis,
    priority: Priority = 'normal',
  ): boolean {
    const link = this.#links.get(key);
    const item = { channel, message, priority };
    if (link !== undefined) return this.#sendOn(link, item, now);
    const peer = this.#peers.get(key);
    const charge = chargeOf(message.length);
    if (peer === undefined || peer.queuedBytes + charge > this.#queueBytes) return false;
    peer.queue.push(item);
    peer.queuedBytes += charge;
    return true;
  }

  #sendOn(link: Link, item: Queued, now: Millis): boolean {
    try {
      this.#endpoint.send(link.connection, item.message, item, now);
      return true;
    } catch (error) {
      const dropped =
        error instanceof RudpError && (error.code === 'buffer-full' || error.code === 'closed');
      if (dropped) return false;
      throw error;
    }
  }

  handleDatagram(from: string, datagram: Uint8Array, now: Millis): void {
    this.#now = now;
    this.#endpoint.handleDatagram(from, datagram, now);
  }

  handleTimeout(now: Millis): void {
    this.#now = now;
    this.#endpoint.handleTimeout(now);
    this.#dialDue(now);
  }

  nextTimeout(): Millis | undefined {
    let next = this.#endpoint.nextTimeout() ?? Number.POSITIVE_INFINITY;
    for (const peer of this.#peers.values()) {
      if (this.#wantsDial(peer)) next = Math.min(next, peer.dialAt);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  pollTransmit(now: Millis): Transmit | undefined {
    this.#now = now;
    this.#dialDue(now);
    return this.#endpoint.pollTransmit(now);
  }

  /** The next event. It must be polled to its end after every call: links are made here. */
  pollEvent(): PeerEvent | undefined {
    while (true) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      const cause = this.#endpoint.pollEvent();
      if (cause === undefined) return undefined;
      this.#handle(cause);
    }
  }

  #handle(event: EndpointEvent): void {
    switch (event.type) {
      case 'connected': {
        const { connection, address, initiator } = event;
        const { name, incarnation } = event.peer;
        this.#connected({ connection, key: name, name, incarnation, address, initiator });
        break;
      }
      case 'message': {
        const link = this.#byConnection.get(event.connection);
        if (link === undefined) break;
        const { channel, message } = event;
        this.#events.push({ type: 'message', peer: link.key, channel, message });
        break;
      }
      case 'moved': {
        const link = this.#byConnection.get(event.connection);
        if (link !== undefined) link.address = event.address;
        break;
      }
      case 'drain':
      case 'settled':
        break;
      case 'stranger':
        this.#events.push(event);
        break;
      case 'closed':
        this.#closed(event.connection, event.reason);
        break;
      default:
        event satisfies never;
    }
  }

  #connected(link: Link): void {
    const dialler = this.#dialler(link.connection);
    if (dialler !== undefined) dialler.dialing = undefined;
    if (link.initiator && dialler?.name !== link.name) {
      const reason = `dialled ${dialler?.name ?? 'a removed peer'}, reached ${link.name}`;
      this.#endpoint.close(link.connection, CLOSE.wrongPeer, reason, this.#now);
      if (dialler !== undefined) this.#planDial(dialler);
      return;
    }
    const peer = this.#peers.get(link.name);
    const anonymous = anonymousKey(link.name, link.incarnation);
    if (peer === undefined || !isAt(link, peer.address)) link.key = anonymous;
    const present = this.#links.get(link.key);
    if (present !== undefined && present.incarnation !== link.incarnation) {
      // Only an address that was set can vouch for a newcomer with a lower incarnation.
      if (peer?.address === '' && link.incarnation < present.incarnation) link.key = anonymous;
      else this.#cut(present, { code: CLOSE.superseded, reason: 'a new life of the peer' });
    } else if (present !== undefined && !this.#isPreferred(link, present)) {
      const reason = 'there is a connection already';
      this.#endpoint.close(link.connection, CLOSE.duplicate, reason, this.#now);
      return;
    } else if (present !== undefined) {
      this.#cut(present, { code: CLOSE.duplicate, reason: 'replaced by another connection' });
    }
    this.#byConnection.set(link.connection, link);
    this.#bringUp(link);
  }

  /**
   * Of two connections with one life of a peer, both sides must keep the same: that which the lower
   * name dialled, or the later one if the same side dialled both (it has lost the earlier).
   */
  #isPreferred(newcomer: Link, present: Link): boolean {
    if (newcomer.initiator === present.initiator) return true;
    return newcomer.initiator === this.#localName < newcomer.name;
  }

  #bringUp(link: Link): void {
    const { key, incarnation, address } = link;
    this.#links.set(key, link);
    this.#events.push({ type: 'up', peer: key, incarnation, address });
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    peer.redialMs = FIRST_REDIAL_MS;
    this.#stopDialing(peer);
    for (let item = peer.queue.shift(); item; item = peer.queue.shift()) {
      this.#sendQueued(link, item);
    }
    peer.queuedBytes = 0;
  }

  /** A message that this life of the peer does not take is dropped, like one the buffer is too full for. */
  #sendQueued(link: Link, item: Queued): void {
    try {
      this.#sendOn(link, item, this.#now);
    } catch (error) {
      if (!(error instanceof RudpError)) throw error;
    }
  }

  #closed(connection: ConnectionHandle, reason: string): void {
    const dialler = this.#dialler(connection);
    if (dialler !== undefined) {
      dialler.dialing = undefined;
      this.#planDial(dialler);
    }
    const link = this.#byConnection.get(connection);
    if (link === undefined) return;
    this.#byConnection.delete(connection);
    this.#takeDown(link, reason);
  }

  /** Ends a link from our side. */
  #cut(link: Link, by: CloseReason): void {
    this.#byConnection.delete(link.connection);
    this.#endpoint.close(link.connection, by.code, by.reason, this.#now);
    this.#takeDown(link, by.reason);
  }

  #takeDown(link: Link, reason: string): void {
    this.#links.delete(link.key);
    this.#events.push({ type: 'down', peer: link.key, reason, incarnation: link.incarnation });
    const peer = this.#peers.get(link.key);
    if (peer !== undefined) this.#planDial(peer);
  }

  #dialler(connection: ConnectionHandle): SetPeer | undefined {
    for (const peer of this.#peers.values()) if (peer.dialing === connection) return peer;
    return undefined;
  }

  #wantsDial(peer: SetPeer): boolean {
    return peer.dials && peer.dialing === undefined && !this.#links.has(peer.name);
  }

  #planDial(peer: SetPeer): void {
    peer.dialAt = this.#now + peer.redialMs;
    peer.redialMs = Math.min(peer.redialMs * 2, MAX_REDIAL_MS);
  }

  #dialDue(now: Millis): void {
    for (const peer of this.#peers.values()) {
      if (!this.#wantsDial(peer) || peer.dialAt > now) continue;
      try {
        peer.dialing = this.#endpoint.connect(peer.address, now);
      } catch (error) {
        if (!(error instanceof RudpError)) throw error;
        this.#planDial(peer);
      }
    }
  }

  #stopDialing(peer: SetPeer): void {
    const { dialing } = peer;
    peer.dialing = undefined;
    peer.dialAt = 0;
    if (dialing !== undefined) this.#endpoint.close(dialing, CLOSE.none, 'no need', this.#now);
  }

  /** Ends the link of that key, if there is one; a peer that was set is dialled again. */
  cut(key: PeerKey, reason: string, now: Millis): void {
    this.#now = now;
    const link = this.#links.get(key);
    if (link !== undefined) this.#cut(link, { code: CLOSE.none, reason });
  }

  /** Closes every link and forgets every peer; the closes still have to be sent. */
  closeAll(code: number, reason: string, now: Millis): void {
    this.#now = now;
    for (const peer of this.#peers.values()) this.#stopDialing(peer);
    this.#peers.clear();
    for (const link of [...this.#byConnection.values()]) this.#cut(link, { code, reason });
  }

  /** The keys of the peers that are up. */
  up(): PeerKey[] {
    return [...this.#links.keys()];
  }

  /** Undefined while the peer is not up. */
  stats(key: PeerKey): ConnectionStats | undefined {
    const link = this.#links.get(key);
    return link && this.#endpoint.stats(link.connection);
  }
}

const isAt = (link: Link, address: string): boolean => address === '' || link.address === address;

const isLife = (link: Link, incarnation: number | undefined): boolean =>
  incarnation === undefined || link.incarnation === incarnation;

const dropQueue = (peer: SetPeer): void => {
  peer.queue.clear();
  peer.queuedBytes = 0;
};
