/** I/O: one connection as an application sees it that uses rudp alone, with promises. */

import type { ConnectionHandle } from './connection.ts';
import type { Endpoint, Peer } from './endpoint.ts';
import { CLOSE, RudpError, type CloseReason } from './errors.ts';
import { Fifo } from './fifo.ts';
import type { ConnectionStats } from './stats.ts';

export interface RudpMessage {
  readonly channel: number;
  /** Belongs to the receiver. */
  readonly message: Uint8Array;
}

/** What a connection needs of its endpoint's socket. */
export interface Driver {
  readonly endpoint: Endpoint;
  now(): number;
  wake(): void;
}

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

const DEFAULT_FLUSH_MS = 5_000;
const FLUSH_POLL_MS = 2;

export class RudpConnection implements AsyncIterable<RudpMessage> {
  readonly handle: ConnectionHandle;
  readonly address: string;
  readonly peer: Peer;
  readonly #driver: Driver;
  readonly #inbox = new Fifo<RudpMessage>();
  readonly #readers = new Fifo<Waiter<RudpMessage | undefined>>();
  readonly #writers = new Fifo<Waiter<undefined>>();
  #end: CloseReason | undefined;

  constructor(driver: Driver, handle: ConnectionHandle, address: string, peer: Peer) {
    this.#driver = driver;
    this.handle = handle;
    this.address = address;
    this.peer = peer;
  }

  /** Why the connection ended; undefined while it lasts. */
  get closed(): CloseReason | undefined {
    return this.#end;
  }

  /**
   * Queues a message on a channel; settles at once, or when the send buffer has room again. The
   * bytes belong to the connection from here on.
   * @throws RudpError 'too-large', 'closed' or 'invalid'.
   */
  async send(message: Uint8Array, options: { readonly channel?: number } = {}): Promise<void> {
    const { endpoint } = this.#driver;
    while (true) {
      try {
        endpoint.send(this.handle, message, options, this.#driver.now());
        this.#driver.wake();
        return;
      } catch (error) {
        if (!(error instanceof RudpError) || error.code !== 'buffer-full') throw error;
      }
      await new Promise<undefined>((resolve, reject) => {
        this.#writers.push({ resolve, reject });
      });
    }
  }

  /** The next message; undefined after the end of the connection. */
  async receive(): Promise<RudpMessage | undefined> {
    const next = this.#inbox.shift();
    if (next !== undefined) {
      this.#release(next);
      return next;
    }
    if (this.#end !== undefined) return undefined;
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
    });
  }

  async *[Symbol.asyncIterator](): AsyncIterator<RudpMessage> {
    for (let next = await this.receive(); next !== undefined; next = await this.receive()) {
      yield next;
    }
  }

  #release({ message }: RudpMessage): void {
    this.#driver.endpoint.release(this.handle, message.length);
    this.#driver.wake();
  }

  /**
   * Waits until the peer has acknowledged everything, at most `flushMs` (0 not at all), then closes
   * with `code` (0, or one from 0x100 on) and `reason`.
   */
  async close(code: number = CLOSE.none, reason = '', flushMs = DEFAULT_FLUSH_MS): Promise<void> {
    const { endpoint } = this.#driver;
    const giveUpAt = this.#driver.now() + flushMs;
    while (this.#end === undefined && this.#driver.now() < giveUpAt) {
      if (endpoint.stats(this.handle).bufferedBytes === 0) break;
      await new Promise((resolve) => setTimeout(resolve, FLUSH_POLL_MS));
    }
    endpoint.close(this.handle, code, reason, this.#driver.now());
    this.#driver.wake();
  }

  /** @throws RudpError 'closed' after the end. */
  stats(): ConnectionStats {
    return this.#driver.endpoint.stats(this.handle);
  }

  /** For the endpoint: a message came in. */
  deliver(message: RudpMessage): void {
    const reader = this.#readers.shift();
    if (reader === undefined) {
      this.#inbox.push(message);
      return;
    }
    this.#release(message);
    reader.resolve(message);
  }

  /** For the endpoint: there is room to send again. */
  drain(): void {
    for (let writer = this.#writers.shift(); writer; writer = this.#writers.shift()) {
      writer.resolve(undefined);
    }
  }

  /** For the endpoint: the connection has ended. What has come in can still be read. */
  finish(by: CloseReason): void {
    this.#end = by;
    for (let reader = this.#readers.shift(); reader; reader = this.#readers.shift()) {
      reader.resolve(undefined);
    }
    this.drain();
  }
}
