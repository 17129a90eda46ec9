/**
 * Answers that need no connection: the cookie that shows a client is where it says (the Retry of
 * RFC 9000 §8.1), the refusal, and the stateless reset (§10.3). All are shorter than what they
 * answer, so that nobody can use us to flood a third party, and no two endpoints can play ping-pong.
 */

import {
  COOKIE_PERIOD_MS,
  MAX_STATELESS_QUEUED,
  RESETS_PER_SECOND,
  RETRIES_PER_SECOND,
  TAG_BYTES,
  VERSION,
} from './limits.ts';
import { ByteReader } from './byte_reader.ts';
import { CLOSE, type CloseReason } from './errors.ts';
import { Fifo } from './fifo.ts';
import type { Millis } from './millis.ts';
import { encodeRefuse, encodeReset, encodeRetry, equalBytes, refuseBound } from './packet_codec.ts';
import { PREFIX_BYTES, RESET_BYTES, REFUSE_BYTES, type ConnectionId } from './packet_codec.ts';
import type { Protection } from './protection.ts';
import { RateLimit } from './rate_limit.ts';
import type { EndpointCounters } from './stats.ts';
import { writeUint32 } from './varint.ts';

const PERIOD_BYTES = 4;

/** No part can contain a zero byte but a name, which comes last. */
const inputOf = (...parts: readonly (string | number)[]): Uint8Array =>
  new TextEncoder().encode(parts.join('\0'));

interface Outgoing {
  readonly to: string;
  readonly bytes: Uint8Array;
}

export class StatelessAnswers {
  readonly #protection: Protection;
  readonly #localName: string;
  readonly #counters: EndpointCounters;
  readonly #queue = new Fifo<Outgoing>();
  readonly #resets = new RateLimit(RESETS_PER_SECOND);
  /** Retries and refusals. */
  readonly #answers = new RateLimit(RETRIES_PER_SECOND);

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

  /** The cookie of a client: the period, and a tag over who it is and where. */
  #cookieOf(from: string, clientId: ConnectionId, period: number): Uint8Array {
    const cookie = new Uint8Array(PERIOD_BYTES + TAG_BYTES);
    writeUint32(cookie, 0, period);
    cookie.set(this.#protection.cookie(inputOf(from, clientId), period), PERIOD_BYTES);
    return cookie;
  }

  /** Strangers are answered so often a second and no oftener. */
  #mayAnswer(now: Millis): boolean {
    return this.#queue.length < MAX_STATELESS_QUEUED && this.#answers.take(now);
  }

  /** Sends `from` a cookie to come back with, unless strangers have had too many in this second. */
  retry(from: string, clientId: ConnectionId, now: Millis): void {
    const period = Math.floor(now / COOKIE_PERIOD_MS);
    if (!this.#mayAnswer(now)) return;
    this.#enqueue(from, encodeRetry(clientId, this.#cookieOf(from, clientId, period)));
    this.#counters.retriesSent += 1;
  }

  /** True if we gave this cookie to this address not long ago. */
  isOurCookie(cookie: Uint8Array, from: string, clientId: ConnectionId, now: Millis): boolean {
    if (cookie.length !== PERIOD_BYTES + TAG_BYTES) return false;
    const period = new ByteReader(cookie, 0).uint32();
    const age = Math.floor(now / COOKIE_PERIOD_MS) - period;
    return (age === 0 || age === 1) && equalBytes(cookie, this.#cookieOf(from, clientId, period));
  }

  /** Answers a hello whose client has shown its address; not bound by what the hello measured. */
  welcome(to: string, bytes: Uint8Array): void {
    this.#enqueue(to, bytes);
  }

  /** Refuses a hello that asked for a version; it is longer than any refusal. */
  refuse(
    to: string,
    clientId: ConnectionId,
    code: number,
    askedVersion: number,
    now: Millis,
  ): void {
    if (!this.#mayAnswer(now)) return;
    const { mac } = this.#protection;
    const bytes = encodeRefuse(clientId, code, askedVersion, mac);
    if (this.#enqueue(to, bytes)) this.#counters.refusesSent += 1;
  }

  /** What a refusal says that only a member of the cluster can have written. */
  readRefuse(datagram: Uint8Array): CloseReason | undefined {
    if (datagram.length !== REFUSE_BYTES) return undefined;
    const tag = datagram.subarray(REFUSE_BYTES - TAG_BYTES);
    if (!this.#protection.isMac(refuseBound(datagram, VERSION), tag)) return undefined;
    const code = datagram[PREFIX_BYTES] ?? CLOSE.refused;
    const versions = `the peer speaks version ${datagram[PREFIX_BYTES + 1] ?? 0}, we speak ${VERSION}`;
    const mismatch = code === CLOSE.versionMismatch;
    return { code, reason: mismatch ? versions : 'the peer refused the connection' };
  }

  /**
   * Tells the sender of a packet for a connection we do not know that it is gone. The tag proves
   * that we have the cluster's key and bear the name its peer had; an endpoint without a name, of
   * which there may be many, sends none.
   */
  reset(to: string, id: ConnectionId, answeredBytes: number, now: Millis): void {
    if (answeredBytes <= RESET_BYTES || this.#localName === '') return;
    if (!this.#resets.take(now)) return;
    const bytes = encodeReset(id, this.#protection.mac(inputOf('reset', id, this.#localName)));
    if (this.#enqueue(to, bytes)) this.#counters.resetsSent += 1;
  }

  /** True if a reset comes from a peer of this name. */
  isReset(datagram: Uint8Array, id: ConnectionId, peerName: string): boolean {
    if (datagram.length !== RESET_BYTES || peerName === '') return false;
    const tag = datagram.subarray(PREFIX_BYTES);
    return this.#protection.isMac(inputOf('reset', id, peerName), tag);
  }
}
