/**
 * Answers that need no connection: the cookie that shows a client is where it says (the Retry of
 * RFC 9000 §8.1), the refusal, and the stateless reset (§10.3). All are shorter than what they
 * answer, so that nobody can use us to flood a third party, and no two endpoints can play ping-pong.
 */

import { MAX_STATELESS_QUEUED, COOKIE_PERIOD_MS, RESETS_PER_SECOND, TAG_BYTES } from './limits.ts';
import { Fifo } from './fifo.ts';
import type { Millis } from './millis.ts';
import { encodeRefuse, encodeReset, encodeRetry, equalBytes } from './packet_codec.ts';
import { PREFIX_BYTES, RESET_BYTES, REFUSE_BYTES, type ConnectionId } from './packet_codec.ts';
import type { Protection } from './protection.ts';
import type { EndpointCounters } from './stats.ts';
import { writeUint32 } from './varint.ts';

const PERIOD_BYTES = 4;

interface Outgoing {
  readonly to: string;
  readonly bytes: Uint8Array;
}

export class StatelessAnswers {
  readonly #protection: Protection;
  readonly #localName: string;
  readonly #counters: EndpointCounters;
  readonly #queue = new Fifo<Outgoing>();
  #resetTokens = RESETS_PER_SECOND;
  #resetTokensAt: Millis = 0;

  constructor(protection: Protection, localName: string, counters: EndpointCounters) {
    this.#protection = protection;
    this.#localName = localName;
    this.#counters = counters;
  }

  /** The next answer to send. */
  poll(): Outgoing | undefined {
    return this.#queue.shift();
  }

  #enqueue(to: string, bytes: Uint8Array): boolean {
    if (this.#queue.length >= MAX_STATELESS_QUEUED) return false;
    this.#queue.push({ to, bytes });
    return true;
  }

  #mac(...parts: readonly (string | number)[]): Uint8Array {
    // No part can contain a zero byte but the names, and those come last.
    return this.#protection.mac(new TextEncoder().encode(parts.join('\0')));
  }

  #cookieTag(from: string, clientId: ConnectionId, period: number): Uint8Array {
    return this.#mac('cookie', from, clientId, period, this.#localName);
  }

  /** Sends `from` a cookie to come back with. */
  retry(from: string, clientId: ConnectionId, now: Millis): void {
    const period = Math.floor(now / COOKIE_PERIOD_MS);
    const cookie = new Uint8Array(PERIOD_BYTES + TAG_BYTES);
    writeUint32(cookie, 0, period);
    cookie.set(this.#cookieTag(from, clientId, period), PERIOD_BYTES);
    if (this.#enqueue(from, encodeRetry(clientId, cookie))) this.#counters.retriesSent += 1;
  }

  /** True if we gave this cookie to this address not long ago. */
  isOurCookie(cookie: Uint8Array, from: string, clientId: ConnectionId, now: Millis): boolean {
    if (cookie.length !== PERIOD_BYTES + TAG_BYTES) return false;
    const current = Math.floor(now / COOKIE_PERIOD_MS);
    for (const period of [current, current - 1]) {
      const expected = new Uint8Array(PERIOD_BYTES + TAG_BYTES);
      writeUint32(expected, 0, period);
      expected.set(this.#cookieTag(from, clientId, period), PERIOD_BYTES);
      if (equalBytes(cookie, expected)) return true;
    }
    return false;
  }

  /** Answers a hello whose client has shown its address; not bound by what the hello measured. */
  welcome(to: string, bytes: Uint8Array): void {
    this.#enqueue(to, bytes);
  }

  /** Refuses a hello, which is longer than any refusal. */
  refuse(to: string, clientId: ConnectionId, code: number): void {
    const bytes = encodeRefuse(clientId, code, (input) => this.#protection.mac(input));
    if (this.#enqueue(to, bytes)) this.#counters.refusesSent += 1;
  }

  /** The code of a refusal that only a member of the cluster can have written. */
  readRefuse(datagram: Uint8Array): number | undefined {
    if (datagram.length !== REFUSE_BYTES) return undefined;
    const tag = this.#protection.mac(datagram.subarray(0, PREFIX_BYTES + 2));
    return equalBytes(datagram.subarray(PREFIX_BYTES + 2), tag)
      ? datagram[PREFIX_BYTES]
      : undefined;
  }

  /**
   * Tells the sender of a packet for a connection we do not know that it is gone. The tag proves
   * that we have the cluster's key and bear the name its peer had.
   */
  reset(to: string, id: ConnectionId, answeredBytes: number, now: Millis): void {
    if (answeredBytes <= RESET_BYTES || !this.#takeResetToken(now)) return;
    const bytes = encodeReset(id, this.#mac('reset', id, this.#localName));
    if (this.#enqueue(to, bytes)) this.#counters.resetsSent += 1;
  }

  #takeResetToken(now: Millis): boolean {
    const refill = ((now - this.#resetTokensAt) * RESETS_PER_SECOND) / 1000;
    this.#resetTokens = Math.min(RESETS_PER_SECOND, this.#resetTokens + refill);
    this.#resetTokensAt = now;
    if (this.#resetTokens < 1) return false;
    this.#resetTokens -= 1;
    return true;
  }

  /** True if a reset comes from a peer of this name. */
  isReset(datagram: Uint8Array, id: ConnectionId, peerName: string): boolean {
    const tag = this.#mac('reset', id, peerName);
    return datagram.length === RESET_BYTES && equalBytes(datagram.subarray(PREFIX_BYTES), tag);
  }
}
