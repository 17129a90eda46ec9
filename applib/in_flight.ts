/** Holds back requests to the file server that would exceed what it takes from one client. Pure. */

import { DIRECT_BYTES_LIMIT, DIRECT_REQUESTS_LIMIT } from '../protocol/direct_limits.ts';
import type { Message } from '../protocol/messages.ts';

const bytesOf = (message: Message): number => {
  if (message.type === 'read') return message.length;
  return message.type === 'write' ? message.bytes.length : 0;
};

/** The requests that have been sent and are not answered, and those that wait for their turn. */
export class InFlight {
  /** Request number → the bytes it may move. */
  readonly #sent = new Map<number, number>();
  #sentBytes = 0;
  readonly #held: Message[] = [];

  /** What is to be sent now: the message, or nothing while others are before it. */
  push(message: Message): Message[] {
    this.#held.push(message);
    const released = this.#release();
    // The bytes of what waits are the caller's again after this call.
    const last = this.#held.length - 1;
    if (this.#held[last] === message && message.type === 'write') {
      this.#held[last] = { ...message, bytes: message.bytes.slice() };
    }
    return released;
  }

  /** Everything that is held back, when nobody waits for answers any more. */
  rest(): Message[] {
    return this.#held.splice(0);
  }

  /** What may be sent now that this message of the server is in. */
  answered(message: Message): Message[] {
    const bytes = 'request' in message ? this.#sent.get(message.request) : undefined;
    if (bytes === undefined || !('request' in message)) return [];
    this.#sent.delete(message.request);
    this.#sentBytes -= bytes;
    return this.#release();
  }

  /** In the order of the calls: a later request never overtakes an earlier one. */
  #release(): Message[] {
    let count = 0;
    for (const message of this.#held) {
      const bytes = bytesOf(message);
      if (!this.#hasRoom(bytes)) break;
      if ('request' in message) this.#sent.set(message.request, bytes);
      this.#sentBytes += 'request' in message ? bytes : 0;
      count++;
    }
    return this.#held.splice(0, count);
  }

  #hasRoom(bytes: number): boolean {
    if (this.#sent.size === 0) return true;
    if (this.#sent.size >= DIRECT_REQUESTS_LIMIT) return false;
    return this.#sentBytes + bytes <= DIRECT_BYTES_LIMIT;
  }
}
