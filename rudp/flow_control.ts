/**
 * The credit of a connection (the idea of RFC 9000 §4). It is counted in whole messages: a message
 * is charged its length and `MESSAGE_OVERHEAD_BYTES` when its first byte travels, and its credit
 * comes back when the receiving application has taken it. So a message that has begun can always
 * be finished, and the receiver can set its memory aside at the first piece.
 */

import { MESSAGE_OVERHEAD_BYTES } from './limits.ts';

/** New credit is announced once this part of the window can be given back, or earlier (see there). */
const ANNOUNCE_FRACTION = 1 / 4;

/** What a message of `bytes` is charged. */
export const chargeOf = (bytes: number): number => bytes + MESSAGE_OVERHEAD_BYTES;

/** The sender's side: what the peer lets us start. */
export class SendCredit {
  #charged = 0;
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get available(): number {
    return this.#limit - this.#charged;
  }

  charge(amount: number): void {
    this.#charged += amount;
  }

  /** A MAX_DATA came in; answers whether it is news (an old one may arrive late). */
  raise(limit: number): boolean {
    if (limit <= this.#limit) return false;
    this.#limit = limit;
    return true;
  }
}

/** The receiver's side: what we let the peer start. */
export class ReceiveCredit {
  readonly #windowBytes: number;
  readonly #announceBytes: number;
  #charged = 0;
  #consumed = 0;
  #announced: number;
  /** A MAX_DATA is to be sent: there is enough to announce, or the last one was lost. */
  updatePending = false;

  /** @param maxMessageBytes the longest message; what is not announced must never be missing for one. */
  constructor(windowBytes: number, maxMessageBytes = 0) {
    this.#windowBytes = windowBytes;
    const spare = windowBytes - chargeOf(maxMessageBytes);
    this.#announceBytes = Math.min(windowBytes * ANNOUNCE_FRACTION, spare);
    this.#announced = windowBytes;
  }

  /** A message begins; false if the peer had no credit for it. */
  charge(amount: number): boolean {
    this.#charged += amount;
    return this.#charged <= this.#announced;
  }

  /** The application has taken a message. */
  consume(amount: number): void {
    this.#consumed += amount;
    const limit = this.#consumed + this.#windowBytes;
    if (limit - this.#announced >= this.#announceBytes) this.updatePending = true;
  }

  /** The limit to announce now, which becomes the limit that binds the peer. */
  announce(): number {
    this.#announced = this.#consumed + this.#windowBytes;
    this.updatePending = false;
    return this.#announced;
  }

  /** Bytes charged and not yet taken by the application. */
  get heldBytes(): number {
    return this.#charged - this.#consumed;
  }
}
