/** Peers that have none of our keys, as the user is told of them. */

import type { EndpointEvent } from './endpoint_event.ts';
import type { Fifo } from './fifo.ts';
import { STRANGER_INTERVAL_MS } from './limits.ts';
import type { Millis } from './millis.ts';

export class Strangers {
  readonly #events: Fifo<EndpointEvent>;
  #toldAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(events: Fifo<EndpointEvent>) {
    this.#events = events;
  }

  /** Tells of a stranger, unless one was told of just now: they must not fill a log. */
  tell(address: string, reason: string, now: Millis): void {
    if (now - this.#toldAt < STRANGER_INTERVAL_MS) return;
    this.#toldAt = now;
    this.#events.push({ type: 'stranger', address, reason });
  }
}
