/** I/O: the relay on a daemon's own socket: its clock, its timer, and the probes that go through it. */

import { performance } from 'node:perf_hooks';
import type { Interceptor, SocketSide } from '../rudp/socket_endpoint.ts';
import type { AgentEngine } from './agent.ts';
import { Probing } from './probing.ts';
import { Relay } from './relay.ts';
import type { SettingTable } from './setting_table.ts';

/** Node's timers are up to this late, which a quick link would notice: the rest is waited for in turns of the loop. */
const TIMER_SLACK_MS = 1.5;

export class RelayInterceptor implements Interceptor, AgentEngine {
  readonly name = 'relay';
  readonly probing = new Probing();
  readonly #relay: Relay;
  #socket: SocketSide | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #plannedFor = Number.POSITIVE_INFINITY;

  constructor(table: SettingTable) {
    this.#relay = new Relay(table);
  }

  attach(socket: SocketSide): void {
    this.#socket = socket;
  }

  outgoing(to: string, bytes: Uint8Array): boolean {
    const taken = this.#relay.take('out', to, bytes, performance.now());
    if (taken) this.#plan();
    return taken;
  }

  incoming(from: string, bytes: Uint8Array): boolean {
    if (this.#relay.take('in', from, bytes, performance.now())) {
      this.#plan();
      return true;
    }
    return this.#isProbe(from, bytes);
  }

  /** What applies is looked up with the next datagram. */
  apply(): Promise<void> {
    return Promise.resolve();
  }

  isSeeded(): Promise<boolean> {
    return Promise.resolve(true);
  }

  sendProbe(peer: string, bytes: Uint8Array): void {
    if (!this.outgoing(peer, bytes)) this.#socket?.send(peer, bytes);
  }

  close(): Promise<void> {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    return Promise.resolve();
  }

  #isProbe(from: string, bytes: Uint8Array): boolean {
    const arrival = this.probing.handle(bytes, performance.now());
    if (typeof arrival === 'object') this.sendProbe(from, arrival.answer);
    return arrival !== 'other';
  }

  readonly #deliver = (): void => {
    this.#turn = undefined;
    this.#plannedFor = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (let next = this.#relay.pollDelivery(now); next; next = this.#relay.pollDelivery(now)) {
      const { direction, peer, bytes } = next;
      if (direction === 'out') this.#socket?.send(peer, bytes);
      else if (!this.#isProbe(peer, bytes)) this.#socket?.receive(peer, bytes);
    }
    this.#plan();
  };

  #plan(): void {
    const at = this.#relay.nextDelivery();
    if (at === undefined || at >= this.#plannedFor) return;
    this.#plannedFor = at;
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    const waitMs = at - performance.now() - TIMER_SLACK_MS;
    if (waitMs > 0) this.#timer = setTimeout(this.#deliver, waitMs);
    else this.#turn = setImmediate(this.#deliver);
  }
}
