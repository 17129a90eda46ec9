/** Does I/O: a link between two UDP sockets of loopback, one of them with the engine `relay`, and what it measures. */

import { setTimeout as pause } from 'node:timers/promises';
import { faultOf, type Profile } from '../../../netem/fault.ts';
import type { ProbePace } from '../../../netem/measurement.ts';
import { RelayInterceptor } from '../../../netem/relay_interceptor.ts';
import { seedOf } from '../../../netem/seeded_random.ts';
import { SettingTable } from '../../../netem/setting_table.ts';
import { SocketEndpoint } from '../../../rudp/socket_endpoint.ts';
import { LinkEnd, Stream } from './link_end.ts';

/** How often streams are looked at, and after how many looks without an arrival nothing comes any more. */
const LOOK_MS = 50;
const QUIET_LOOKS = 40;

interface Parts {
  readonly table: SettingTable;
  readonly relay: RelayInterceptor;
  readonly streams: readonly Stream[];
  readonly nearEnd: LinkEnd;
  readonly near: SocketEndpoint<never>;
  readonly far: SocketEndpoint<never>;
}

export class SocketLink {
  readonly profile: Profile;
  readonly #parts: Parts;

  static async open(profile: Profile): Promise<SocketLink> {
    const table = new SettingTable();
    const relay = new RelayInterceptor(table);
    const [up, down] = [new Stream(), new Stream()];
    const nearEnd = new LinkEnd(up, down);
    const farEnd = new LinkEnd(down, up);
    const onEvent = (): void => undefined;
    const near = await SocketEndpoint.bind<never>(nearEnd, { onEvent, interceptor: relay });
    const far = await SocketEndpoint.bind<never>(farEnd, { onEvent });
    nearEnd.peer = far.address;
    farEnd.peer = near.address;
    nearEnd.onArrival = () => {
      far.wake();
    };
    farEnd.onArrival = () => {
      near.wake();
    };
    return new SocketLink(profile, { table, relay, streams: [up, down], nearEnd, near, far });
  }

  private constructor(profile: Profile, parts: Parts) {
    this.profile = profile;
    this.#parts = parts;
  }

  /** From now on the profile impairs what the near end sends and what it gets, as `apply --node` has it. */
  apply(seed: string): void {
    const { profile } = this;
    const rules = [
      { direction: 'out', peer: undefined, fault: faultOf(profile, 'up') },
      { direction: 'in', peer: undefined, fault: faultOf(profile, 'down') },
    ] as const;
    const setting = { id: 'a', kind: 'profile', label: profile.name, rules } as const;
    this.#parts.table.hold({ ...setting, seed: seedOf(seed) }, Infinity, performance.now());
  }

  /**
   * Round trips in ms, one after another; those that are lost are none.
   * @param turn 0 to 1: which part of the time between two of them goes by first, so that links take turns.
   */
  async timeTrips({ count, everyMs, waitMs }: ProbePace, turn: number): Promise<number[]> {
    const { near, nearEnd } = this.#parts;
    const start = performance.now() + turn * everyMs;
    for (let index = 0; index < count; index += 1) {
      const ahead = start + index * everyMs - performance.now();
      if (ahead > 0) await pause(ahead);
      nearEnd.ping(performance.now());
      near.wake();
    }
    await pause(waitMs);
    return nearEnd.trips.splice(0);
  }

  /** Sends so many datagrams in each direction; answers how many of all have not come. */
  async countLosses(datagrams: number, waitMs: number): Promise<number> {
    const { streams } = this.#parts;
    for (const stream of streams) stream.wanted = datagrams;
    const quietLooks = QUIET_LOOKS + Math.ceil(waitMs / LOOK_MS);
    await Promise.all(streams.map((stream) => this.#until(stream, quietLooks)));
    return streams.reduce((sum, { sent, arrived }) => sum + sent - arrived, 0);
  }

  /** Looks are counted, since a process that stands still does not look either. */
  async #until(stream: Stream, quietLooks: number): Promise<void> {
    let known = 0;
    let quiet = 0;
    while (!stream.ended) {
      this.#parts.near.wake();
      this.#parts.far.wake();
      await pause(LOOK_MS);
      quiet = stream.arrived === known ? quiet + 1 : 0;
      known = stream.arrived;
      if (quiet >= quietLooks) stream.giveUp();
    }
  }

  async close(): Promise<void> {
    const { relay, near, far } = this.#parts;
    await relay.close();
    await Promise.all([near.close(), far.close()]);
  }
}
