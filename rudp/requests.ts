/**
 * Requests and their responses on one connection. A request travels on a channel of its own, from
 * 2^31 on, and its response comes back on the same one, so that no request holds up another. Who
 * dialled uses the even channels, the other side the odd ones.
 */

import { RudpError } from './errors.ts';
import { FIRST_REQUEST_CHANNEL, MAX_CHANNEL, MAX_OPEN_REQUESTS } from './limits.ts';

/** Who waits for a response. */
export interface Requester {
  readonly resolve: (response: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The first byte of a response. */
const STATUS = { done: 0, failed: 1 } as const;

/** The message that carries `response`. */
export const encodeResponse = (response: Uint8Array): Uint8Array => {
  const message = new Uint8Array(1 + response.length);
  message[0] = STATUS.done;
  message.set(response, 1);
  return message;
};

/** The message that says that a request could not be answered, and why. */
export const encodeFailure = (why: string): Uint8Array => {
  const message = encodeResponse(new TextEncoder().encode(why));
  message[0] = STATUS.failed;
  return message;
};

export class Requests {
  readonly #parity: number;
  readonly #open = new Map<number, Requester>();
  #next: number;

  constructor(initiator: boolean) {
    this.#parity = initiator ? 0 : 1;
    this.#next = FIRST_REQUEST_CHANNEL + this.#parity;
  }

  /** Requests that have no response yet. */
  get open(): number {
    return this.#open.size;
  }

  /** Opens a request; answers its channel. @throws RudpError 'buffer-full' at `MAX_OPEN_REQUESTS`. */
  begin(requester: Requester): number {
    if (this.#open.size >= MAX_OPEN_REQUESTS) {
      throw new RudpError('buffer-full', `all ${MAX_OPEN_REQUESTS} requests wait for a response`);
    }
    while (this.#open.has(this.#next)) this.#advance();
    const channel = this.#next;
    this.#advance();
    this.#open.set(channel, requester);
    return channel;
  }

  #advance(): void {
    this.#next += 2;
    if (this.#next > MAX_CHANNEL) this.#next = FIRST_REQUEST_CHANNEL + this.#parity;
  }

  /** Nobody waits for the response on `channel` any more. */
  forget(channel: number): void {
    this.#open.delete(channel);
  }

  /** True if messages on `channel` are responses to us, false if they are requests of the peer. */
  isOurs(channel: number): boolean {
    return channel % 2 === this.#parity;
  }

  /** A response has come; one that nobody waits for is dropped. */
  settle(channel: number, message: Uint8Array): void {
    const requester = this.#open.get(channel);
    this.#open.delete(channel);
    if (message[0] === STATUS.done) requester?.resolve(message.subarray(1));
    else {
      const why = new TextDecoder().decode(message.subarray(1));
      requester?.reject(new RudpError('failed', `the peer could not answer: ${why}`));
    }
  }

  /** The connection has ended. */
  fail(error: RudpError): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const requester of open) requester.reject(error);
  }
}
