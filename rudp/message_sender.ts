/** I/O: sends for an application that uses promises: waits for room, follows messages to their end. */

import type { ConnectionHandle } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { RudpError } from './errors.ts';
import { NEVER, type Millis } from './millis.ts';
import { checkDeadline, type Outcome, type SendOptions } from './send_options.ts';

/** What a connection needs of its endpoint's socket. */
export interface Driver {
  readonly endpoint: Endpoint;
  now(): Millis;
  wake(): void;
}

export interface MessageOptions extends Omit<SendOptions, 'tracked'> {
  /**
   * Gives the message up: before it was accepted, `send` rejects with the reason; later, what has not
   * been sent yet is not sent any more.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Is called once, after the message was accepted. The peer has it ('acknowledged'), and delivers it
   * unless the connection ends before the messages that go before it are there; or it was
   * given up, or the connection has ended, and whether it arrived cannot be known.
   */
  readonly onSettled?: ((outcome: Outcome | 'closed') => void) | undefined;
}

/** A message that found no room yet. */
interface Waiting {
  readonly message: Uint8Array;
  readonly options: MessageOptions;
  readonly deadline: Millis;
  readonly resolve: (value: undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A message that somebody wants to hear of. */
interface Followed {
  readonly options: MessageOptions;
  readonly onAbort: () => void;
}

export class MessageSender {
  readonly #driver: Driver;
  readonly #handle: ConnectionHandle;
  /** In the order of the calls. */
  readonly #waiting = new Set<Waiting>();
  readonly #followed = new Map<number, Followed>();

  constructor(driver: Driver, handle: ConnectionHandle) {
    this.#driver = driver;
    this.#handle = handle;
  }

  /** Settles when the message was accepted; see `RudpConnection.send`. */
  async send(message: Uint8Array, options: MessageOptions): Promise<void> {
    const { signal, deadlineMs = NEVER } = options;
    signal?.throwIfAborted();
    if (!this.#mustWait(options) && this.#offer(message, options, deadlineMs)) return;
    if (deadlineMs !== NEVER) checkDeadline(deadlineMs);
    const deadline = this.#driver.now() + deadlineMs;
    let timer: NodeJS.Timeout | undefined;
    let onAbort = (): void => undefined;
    try {
      await new Promise<undefined>((resolve, reject) => {
        const waiting = { message, options, deadline, resolve, reject };
        const giveUp = (error: Error): void => {
          this.#waiting.delete(waiting);
          reject(error);
        };
        onAbort = () => {
          giveUp(asError(signal?.reason));
        };
        signal?.addEventListener('abort', onAbort);
        const onTime = (): void => {
          giveUp(late(deadlineMs));
        };
        if (deadlineMs !== NEVER) timer = setTimeout(onTime, deadlineMs);
        this.#waiting.add(waiting);
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Nobody overtakes those that wait but urgent messages, and these not on their own channel. */
  #mustWait({ priority, ordered = true, channel = 0 }: MessageOptions): boolean {
    if (this.#waiting.size === 0) return false;
    if (priority !== 'urgent') return true;
    if (!ordered) return false;
    for (const { options } of this.#waiting) if ((options.channel ?? 0) === channel) return true;
    return false;
  }

  /** False if there is no room; then a drain follows. @throws RudpError as `Endpoint.send`. */
  #offer(message: Uint8Array, options: MessageOptions, deadlineMs: Millis): boolean {
    const { endpoint } = this.#driver;
    const tracked = options.signal !== undefined || options.onSettled !== undefined;
    const limit = deadlineMs === NEVER ? {} : { deadlineMs };
    const plain = deadlineMs === (options.deadlineMs ?? NEVER) && !tracked;
    const sent = plain ? options : { ...options, ...limit, tracked };
    try {
      const ticket = endpoint.send(this.#handle, message, sent, this.#driver.now());
      if (tracked) this.#follow(ticket, options);
    } catch (error) {
      if (error instanceof RudpError && error.code === 'buffer-full') return false;
      throw error;
    }
    this.#driver.wake();
    return true;
  }

  #follow(ticket: number, options: MessageOptions): void {
    const onAbort = (): void => {
      this.#driver.endpoint.cancel(this.#handle, ticket);
      this.#driver.wake();
    };
    options.signal?.addEventListener('abort', onAbort);
    this.#followed.set(ticket, { options, onAbort });
  }

  /** There is room again. */
  drain(): void {
    for (const waiting of this.#waiting) {
      const { message, options, deadline, resolve, reject } = waiting;
      try {
        const leftMs = deadline - this.#driver.now();
        if (leftMs <= 0) throw late(options.deadlineMs ?? NEVER);
        if (!this.#offer(message, options, leftMs)) return;
        resolve(undefined);
      } catch (error) {
        reject(error);
      }
      this.#waiting.delete(waiting);
    }
  }

  /** The fate of a message is known. */
  settled(ticket: number, outcome: Outcome | 'closed'): void {
    const followed = this.#followed.get(ticket);
    if (followed === undefined) return;
    this.#followed.delete(ticket);
    followed.options.signal?.removeEventListener('abort', followed.onAbort);
    followed.options.onSettled?.(outcome);
  }

  /** The connection has ended, for the reason that `error` gives. */
  finish(error: RudpError): void {
    for (const waiting of this.#waiting) waiting.reject(error);
    this.#waiting.clear();
    for (const ticket of [...this.#followed.keys()]) this.settled(ticket, 'closed');
  }
}

/** A reason to reject with, whatever was thrown or given to `abort`. */
export const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(String(reason));

/** The error of what did not happen within `deadlineMs`. */
export const late = (deadlineMs: Millis): RudpError =>
  new RudpError('deadline', `not done within ${deadlineMs} ms`);
