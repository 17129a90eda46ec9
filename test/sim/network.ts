/**
 * A network in virtual time: datagrams between named addresses, over links that delay, lose,
 * duplicate, reorder, damage and cut off by size. Pure and deterministic: one seed, one run.
 */

import { faultOf, type Profile } from '../../netem/fault.ts';
import { Impairment, type Delivery as Passed } from '../../netem/impairment.ts';
import { SERVER } from '../../protocol/ids.ts';
import type { Prng } from './prng.ts';

/** How one direction between two addresses behaves; probabilities per datagram. */
export interface LinkProfile {
  readonly delayMs: number;
  /** Added to the delay, uniform from 0; it reorders datagrams that are sent close together. */
  readonly jitterMs: number;
  readonly loss: number;
  readonly duplicate: number;
  /** The datagram overtakes nothing and is overtaken: it comes `reorderMs` later. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** One to three of its bits are flipped. */
  readonly corrupt: number;
  /** Longer datagrams vanish. */
  readonly mtuBytes: number;
  /** What coopfs netem would do to the link, before all of the above. */
  readonly profile: Profile | undefined;
}

export const PERFECT_LINK: LinkProfile = {
  delayMs: 1,
  jitterMs: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  reorderMs: 5,
  corrupt: 0,
  mtuBytes: 65_507,
  profile: undefined,
};

export interface Delivery {
  readonly from: string;
  readonly to: string;
  /** Belongs to the receiver. */
  readonly bytes: Uint8Array;
  readonly at: number;
}

interface Scheduled extends Delivery {
  readonly order: number;
}

export interface NetworkCounters {
  sent: number;
  delivered: number;
  lost: number;
  tooLong: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
}

const MAX_FLIPPED_BITS = 3;

const isBefore = (a: Scheduled, b: Scheduled): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);

export class SimulatedNetwork {
  readonly counters: NetworkCounters = {
    sent: 0,
    delivered: 0,
    lost: 0,
    tooLong: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
  };
  readonly #prng: Prng;
  #defaults: LinkProfile;
  readonly #links = new Map<string, LinkProfile>();
  readonly #impairments = new Map<string, Impairment>();
  /** A binary heap, the earliest first. */
  readonly #heap: Scheduled[] = [];
  #order = 0;

  constructor(prng: Prng, profile: Partial<LinkProfile> = {}) {
    this.#prng = prng;
    this.#defaults = { ...PERFECT_LINK, ...profile };
  }

  /** Changes every link that has no profile of its own; what is under way is not touched. */
  setDefaults(profile: Partial<LinkProfile>): void {
    this.#defaults = { ...this.#defaults, ...profile };
  }

  /** Gives one direction a profile of its own, on top of the defaults of this moment. */
  setLink(from: string, to: string, profile: Partial<LinkProfile>): void {
    this.#links.set(`${from}>${to}`, { ...this.linkOf(from, to), ...profile });
  }

  /** Takes the profile of one direction away. */
  clearLink(from: string, to: string): void {
    this.#links.delete(`${from}>${to}`);
  }

  linkOf(from: string, to: string): LinkProfile {
    return this.#links.get(`${from}>${to}`) ?? this.#defaults;
  }

  /** Copies `bytes` onto the network at time `now`. */
  send(from: string, to: string, bytes: Uint8Array, now: number): void {
    const link = this.linkOf(from, to);
    this.counters.sent += 1;
    if (bytes.length > link.mtuBytes) {
      this.counters.tooLong += 1;
      return;
    }
    for (const passed of this.#impaired(link.profile, from, to, { bytes, at: now })) {
      this.#sendOver(link, from, to, passed);
    }
  }

  /** What a profile lets pass, by the same decision as that of the engine relay. */
  #impaired(profile: Profile | undefined, from: string, to: string, sent: Passed): Passed[] {
    if (profile === undefined) return [sent];
    const key = `${profile.name} ${from}>${to}`;
    let impairment = this.#impairments.get(key);
    if (impairment === undefined) {
      const fault = faultOf(profile, from === SERVER ? 'down' : 'up');
      impairment = new Impairment(fault, this.#prng.fork().next);
      this.#impairments.set(key, impairment);
    }
    const passed = impairment.decide(sent.bytes, sent.at);
    if (passed.length === 0) this.counters.lost += 1;
    return passed;
  }

  #sendOver(link: LinkProfile, from: string, to: string, { bytes, at: now }: Passed): void {
    const copies = this.#prng.chance(link.duplicate) ? 2 : 1;
    this.counters.duplicated += copies - 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#prng.chance(link.loss)) {
        this.counters.lost += 1;
        continue;
      }
      const late = this.#prng.chance(link.reorder) ? link.reorderMs : 0;
      if (late > 0) this.counters.reordered += 1;
      const at = now + link.delayMs + this.#prng.next() * link.jitterMs + late;
      this.#push({ from, to, bytes: this.#damaged(bytes.slice(), link), at, order: this.#order });
      this.#order += 1;
    }
  }

  #damaged(bytes: Uint8Array, link: LinkProfile): Uint8Array {
    if (bytes.length === 0 || !this.#prng.chance(link.corrupt)) return bytes;
    this.counters.corrupted += 1;
    for (let flips = this.#prng.between(1, MAX_FLIPPED_BITS); flips > 0; flips -= 1) {
      const at = this.#prng.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#prng.below(8));
    }
    return bytes;
  }

  /** Datagrams under way. */
  get inFlight(): number {
    return this.#heap.length;
  }

  /** When the next datagram arrives; undefined if none is under way. */
  nextDelivery(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Takes the earliest datagram off the network; those that arrive together come in sending order. */
  deliver(): Delivery | undefined {
    const earliest = this.#heap[0];
    const last = this.#heap.pop();
    if (earliest === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    this.counters.delivered += 1;
    return earliest;
  }

  #push(item: Scheduled): void {
    let at = this.#heap.length;
    this.#heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = this.#heap[parent];
      if (above === undefined || !isBefore(item, above)) break;
      this.#heap[at] = above;
      at = parent;
    }
    this.#heap[at] = item;
  }

  /** Moves the root of the heap down to its place. */
  #sink(): void {
    const item = this.#heap[0];
    if (item === undefined) return;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      let below = this.#heap[child];
      if (below === undefined) break;
      const right = this.#heap[child + 1];
      if (right !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (!isBefore(below, item)) break;
      this.#heap[at] = below;
      at = child;
    }
    this.#heap[at] = item;
  }
}
