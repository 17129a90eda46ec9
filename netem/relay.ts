/**
 * The engine `relay`: datagrams of one socket, held back, lost, doubled and damaged by the settings of
 * its node. Pure; `netem/relay_interceptor.ts` stands between the socket and rudp with it.
 */

import { composeAll } from './composition.ts';
import { DeliveryQueue, type UnderWay } from './delivery_queue.ts';
import { Impairment } from './impairment.ts';
import { seededRandom, seedOf } from './seeded_random.ts';
import { rulesFor, type Direction } from './setting.ts';
import type { SettingTable } from './setting_table.ts';

/** Directions and peers that are remembered; beyond them the memory starts anew. */
const FLOWS_LIMIT = 10_000;

export class Relay {
  readonly #table: SettingTable;
  readonly #queue = new DeliveryQueue();
  /** What applies to each direction and peer; undefined: nothing. */
  readonly #flows = new Map<string, Impairment | undefined>();
  /** By what applies: a rule for all peers is one queue for all of them, as the kernel's is. */
  #impairments = new Map<string, Impairment>();
  #version = -1;

  constructor(table: SettingTable) {
    this.#table = table;
  }

  /** Takes a datagram over; false if nothing applies to it, so that it goes as it is. */
  take(direction: Direction, peer: string, bytes: Uint8Array, now: number): boolean {
    if (this.#version !== this.#table.version) this.#refresh();
    const impairment = this.#impairmentOf(direction, peer);
    if (impairment === undefined) return false;
    for (const delivery of impairment.decide(bytes, now)) {
      this.#queue.push({ ...delivery, direction, peer });
    }
    return true;
  }

  get underWay(): number {
    return this.#queue.size;
  }

  /** When the next datagram is to go on. */
  nextDelivery(): number | undefined {
    return this.#queue.earliest?.at;
  }

  /** The next datagram whose time has come. */
  pollDelivery(now: number): UnderWay | undefined {
    const { earliest } = this.#queue;
    return earliest === undefined || earliest.at > now ? undefined : this.#queue.shift();
  }

  /** What has applied is forgotten, except for what goes on unchanged. */
  #refresh(): void {
    this.#version = this.#table.version;
    this.#flows.clear();
    const ids = new Set(this.#table.settings().map(({ id }) => id));
    for (const key of this.#impairments.keys()) {
      if (
        !key
          .split(' ')[0]
          ?.split(',')
          .every((id) => ids.has(id))
      ) {
        this.#impairments.delete(key);
      }
    }
  }

  #impairmentOf(direction: Direction, peer: string): Impairment | undefined {
    const flow = `${direction} ${peer}`;
    if (this.#flows.has(flow)) return this.#flows.get(flow);
    if (this.#flows.size >= FLOWS_LIMIT) this.#flows.clear();
    const impairment = this.#findImpairment(direction, peer);
    this.#flows.set(flow, impairment);
    return impairment;
  }

  #findImpairment(direction: Direction, peer: string): Impairment | undefined {
    const settings = this.#table
      .settings()
      .filter((each) => rulesFor([each], direction, peer).length > 0);
    if (settings.length === 0) return undefined;
    const rules = rulesFor(settings, direction, peer);
    const own = rules.some((rule) => rule.peer !== undefined) ? peer : 'all';
    const key = `${settings.map(({ id }) => id).join(',')} ${direction} ${own}`;
    const known = this.#impairments.get(key);
    if (known !== undefined) return known;
    const seed = seedOf([...settings.map((each) => each.seed), direction, own].join('/'));
    const fault = composeAll(rules.map((rule) => rule.fault));
    const impairment = new Impairment(fault, seededRandom(seed));
    if (this.#impairments.size >= FLOWS_LIMIT) this.#impairments.clear();
    this.#impairments.set(key, impairment);
    return impairment;
  }
}
