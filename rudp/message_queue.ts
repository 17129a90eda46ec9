/**
 * A queue that any message can leave in constant time, as one that is cancelled must: a list linked
 * through the messages themselves. A message stands in one queue at a time.
 */

import type { OutgoingMessage } from './outgoing_message.ts';

export class MessageQueue {
  #first: OutgoingMessage | undefined;
  #last: OutgoingMessage | undefined;

  get first(): OutgoingMessage | undefined {
    return this.#first;
  }

  get last(): OutgoingMessage | undefined {
    return this.#last;
  }

  push(message: OutgoingMessage): void {
    message.queue = this;
    message.before = this.#last;
    if (this.#last === undefined) this.#first = message;
    else this.#last.behind = message;
    this.#last = message;
  }

  /** Puts `message` before all others. */
  unshift(message: OutgoingMessage): void {
    message.queue = this;
    message.behind = this.#first;
    if (this.#first === undefined) this.#last = message;
    else this.#first.before = message;
    this.#first = message;
  }

  shift(): OutgoingMessage | undefined {
    const message = this.#first;
    if (message !== undefined) this.remove(message);
    return message;
  }

  /** Takes out `message`, which must stand in this queue. */
  remove(message: OutgoingMessage): void {
    const { before, behind } = message;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    message.queue = undefined;
    message.before = undefined;
    message.behind = undefined;
  }
}
