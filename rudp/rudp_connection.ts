/** I/O: one connection as an application sees it that uses rudp alone, with promises. */

import type { ConnectionHandle } from './connection.ts';
import type { EndpointEvent, Peer } from './endpoint.ts';
import { CLOSE, RudpError, type CloseReason } from './errors.ts';
import { Fifo } from './fifo.ts';
import { FIRST_REQUEST_CHANNEL } from './limits.ts';
import {
  asError,
  late,
  MessageSender,
  type Driver,
  type MessageOptions,
} from './message_sender.ts';
import { encodeFailure, encodeResponse, Requests } from './requests.ts';
import { checkDeadline, type Outcome } from './send_options.ts';
import type { ConnectionStats } from './stats.ts';

export interface RudpMessage {
  readonly channel: number;
  /** Belongs to the receiver. */
  readonly message: Uint8Array;
}

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Answers a request of the peer; what it throws is told to the peer. */
export type RequestHandler = (request: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export interface RequestOptions extends Pick<MessageOptions, 'signal' | 'priority'> {
  /** The response must be there so long after the call. Default: never. */
  readonly deadlineMs?: number;
}

/** Calls `giveUp` when a request is aborted or late; answers how to stop that. */
const timeLimit = (
  { signal, deadlineMs }: RequestOptions,
  giveUp: (error: unknown) => void,
): (() => void) => {
  const onAbort = (): void => {
    giveUp(signal?.reason);
  };
  signal?.addEventListener('abort', onAbort);
  const onTime = (): void => {
    giveUp(late(deadlineMs ?? 0));
  };
  const timer = deadlineMs === undefined ? undefined : setTimeout(onTime, deadlineMs);
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
};

const DEFAULT_FLUSH_MS = 5_000;
const FLUSH_POLL_MS = 2;

export class RudpConnection implements AsyncIterable<RudpMessage> {
  readonly handle: ConnectionHandle;
  #address: string;
  readonly peer: Peer;
  readonly #driver: Driver;
  readonly #inbox = new Fifo<RudpMessage>();
  readonly #readers = new Fifo<Waiter<RudpMessage | undefined>>();
  readonly #sender: MessageSender;
  readonly #requests: Requests;
  /** Requests that came before there was a handler. */
  readonly #unhandled = new Fifo<RudpMessage>();
  #handler: RequestHandler | undefined;
  #end: CloseReason | undefined;

  constructor(driver: Driver, event: Extract<EndpointEvent, { type: 'connected' }>) {
    this.#driver = driver;
    this.handle = event.connection;
    this.#address = event.address;
    this.peer = event.peer;
    this.#sender = new MessageSender(driver, event.connection);
    this.#requests = new Requests(event.initiator);
  }

  /** Where the peer is, "10.0.0.1:4000"; changes if the peer moves. */
  get address(): string {
    return this.#address;
  }

  /** The endpoint says that the peer has moved. */
  moveTo(address: string): void {
    this.#address = address;
  }

  /** Why the connection ended; undefined while it lasts. */
  get closed(): CloseReason | undefined {
    return this.#end;
  }

  /**
   * Sends a message, on a channel below 2^31. Resolves when the message is accepted: at once, or when
   * the send buffer has room again. So whoever awaits every `send` never has more than the buffer
   * under way; that the peer has a message is told by `onSettled`. The bytes belong to the connection
   * from here on.
   * @throws RudpError 'too-large', 'closed' or 'invalid'; 'deadline' if there was no room by then, or
   *   the reason of `signal`, if it was aborted before there was room: then nothing was sent.
   */
  async send(message: Uint8Array, options: MessageOptions = {}): Promise<void> {
    const { channel = 0 } = options;
    if (channel >= FIRST_REQUEST_CHANNEL) {
      throw new RudpError('invalid', `channel ${channel}; those from 2^31 on carry requests`);
    }
    await this.#sender.send(message, options);
  }

  /**
   * Sends a request and answers the peer's response to it. No request waits for another one. One that
   * is aborted or late is given up here: the peer may have handled it all the same.
   * @throws RudpError 'failed' if the peer's handler threw, 'closed' if the connection ends before,
   *   'deadline' if there is no response within `deadlineMs`, 'buffer-full' at 65,536 open requests,
   *   or as `send`; the reason of `signal` when it is aborted.
   */
  async request(message: Uint8Array, options: RequestOptions = {}): Promise<Uint8Array> {
    const { signal, deadlineMs } = options;
    signal?.throwIfAborted();
    if (deadlineMs !== undefined) checkDeadline(deadlineMs);
    let stop = (): void => undefined;
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        const channel = this.#requests.begin({ resolve, reject });
        const giveUp = (error: unknown): void => {
          this.#requests.forget(channel);
          reject(asError(error));
        };
        if (signal !== undefined || deadlineMs !== undefined) stop = timeLimit(options, giveUp);
        this.#sender.send(message, { ...options, channel, ordered: false }).catch(giveUp);
      });
    } finally {
      stop();
    }
  }

  /** Answers the peer's requests from now on, those that have come already first. */
  onRequest(handler: RequestHandler): void {
    this.#handler = handler;
    for (let next = this.#unhandled.shift(); next; next = this.#unhandled.shift()) {
      void this.#answer(next, handler);
    }
  }

  async #answer(request: RudpMessage, handler: RequestHandler): Promise<void> {
    let response: Uint8Array;
    try {
      response = encodeResponse(await handler(request.message));
    } catch (error) {
      response = encodeFailure(error instanceof Error ? error.message : String(error));
    }
    this.#release(request);
    try {
      await this.#respond(request, response);
    } catch (error) {
      // The connection has ended, or the response is longer than the requester takes.
      if (!(error instanceof RudpError) || error.code !== 'too-large') return;
      await this.#respond(request, encodeFailure(error.message)).catch(() => undefined);
    }
  }

  async #respond({ channel }: RudpMessage, response: Uint8Array): Promise<void> {
    await this.#sender.send(response, { channel, ordered: false });
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
    if (message.channel >= FIRST_REQUEST_CHANNEL) {
      this.#deliverRequest(message);
      return;
    }
    const reader = this.#readers.shift();
    if (reader === undefined) {
      this.#inbox.push(message);
      return;
    }
    this.#release(message);
    reader.resolve(message);
  }

  #deliverRequest(message: RudpMessage): void {
    if (this.#requests.isOurs(message.channel)) {
      this.#release(message);
      this.#requests.settle(message.channel, message.message);
    } else if (this.#handler === undefined) {
      this.#unhandled.push(message);
    } else {
      void this.#answer(message, this.#handler);
    }
  }

  /** For the endpoint: there is room to send again. */
  drain(): void {
    this.#sender.drain();
  }

  /** For the endpoint: the fate of a message is known. */
  settled(ticket: number, outcome: Outcome): void {
    this.#sender.settled(ticket, outcome);
  }

  /** For the endpoint: the connection has ended. What has come in can still be read. */
  finish(by: CloseReason): void {
    this.#end = by;
    for (let reader = this.#readers.shift(); reader; reader = this.#readers.shift()) {
      reader.resolve(undefined);
    }
    const error = new RudpError('closed', `the connection has ended: ${by.reason}`);
    this.#requests.fail(error);
    this.#sender.finish(error);
  }
}
