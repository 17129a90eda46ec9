/** The dials of an endpoint, under the names they are looked up by. */

import type { ConnectionHandle } from './connection.ts';
import { nextHello, type Dial } from './dial.ts';
import type { Transmit } from './endpoint_event.ts';
import { NEVER, type Millis } from './millis.ts';
import type { ConnectionId } from './packet_codec.ts';

export class DialTable {
  readonly #byHandle = new Map<ConnectionHandle, Dial>();
  readonly #byLocalId = new Map<ConnectionId, Dial>();

  get size(): number {
    return this.#byHandle.size;
  }

  add(dial: Dial): void {
    this.#byHandle.set(dial.handle, dial);
    this.#byLocalId.set(dial.localId, dial);
  }

  remove(dial: Dial): void {
    this.#byHandle.delete(dial.handle);
    this.#byLocalId.delete(dial.localId);
  }

  byHandle(handle: ConnectionHandle): Dial | undefined {
    return this.#byHandle.get(handle);
  }

  hasLocalId(id: ConnectionId): boolean {
    return this.#byLocalId.has(id);
  }

  /** The dial of this id to this address. */
  to(address: string, id: ConnectionId): Dial | undefined {
    const dial = this.#byLocalId.get(id);
    return dial?.address === address ? dial : undefined;
  }

  /** The dials that have waited long enough. */
  expired(now: Millis): readonly Dial[] {
    return [...this.#byHandle.values()].filter(({ giveUpAt }) => giveUpAt <= now);
  }

  nextTimeout(): Millis {
    let next = NEVER;
    for (const dial of this.#byHandle.values()) {
      next = Math.min(next, dial.nextHelloAt, dial.giveUpAt);
    }
    return next;
  }

  /** The next hello that is due. */
  nextHello(now: Millis): Transmit | undefined {
    for (const dial of this.#byHandle.values()) {
      const bytes = nextHello(dial, now);
      if (bytes !== undefined) return { to: dial.address, bytes };
    }
    return undefined;
  }
}
