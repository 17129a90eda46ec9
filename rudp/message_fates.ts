/**
 * Messages whose fate somebody waits for: the user, who has a ticket, or a deadline. All others cost
 * nothing here.
 */

import { Deadlines } from './deadlines.ts';
import type { Millis } from './millis.ts';
import type { OutgoingMessage } from './outgoing_message.ts';
import type { Outcome } from './send_options.ts';

export class MessageFates {
  readonly #deadlines = new Deadlines();
  readonly #tracked = new Map<number, OutgoingMessage>();
  readonly #onSettled: (ticket: number, outcome: Outcome) => void;
  #nextTicket = 1;

  constructor(onSettled: (ticket: number, outcome: Outcome) => void) {
    this.#onSettled = onSettled;
  }

  /** Messages whose fate is waited for. */
  get open(): number {
    return this.#tracked.size + this.#deadlines.size;
  }

  /** When the next deadline comes, `NEVER` if there is none. */
  get nextDeadline(): Millis {
    return this.#deadlines.next;
  }

  /** Gives `message` a ticket, which it answers. */
  track(message: OutgoingMessage): number {
    message.ticket = this.#nextTicket;
    this.#nextTicket += 1;
    this.#tracked.set(message.ticket, message);
    return message.ticket;
  }

  /** `message` is to be given up at `deadline`. */
  limit(message: OutgoingMessage, deadline: Millis): void {
    this.#deadlines.add(message, deadline);
  }

  /** The message of a ticket, while its fate is open. */
  find(ticket: number): OutgoingMessage | undefined {
    return this.#tracked.get(ticket);
  }

  /** Takes out a message whose deadline has come by `now`. */
  takeDue(now: Millis): OutgoingMessage | undefined {
    return this.#deadlines.takeDue(now);
  }

  /** The fate of `message` is known. */
  end(message: OutgoingMessage, outcome: Outcome): void {
    this.#deadlines.remove(message);
    if (message.ticket === 0) return;
    this.#tracked.delete(message.ticket);
    this.#onSettled(message.ticket, outcome);
  }
}
