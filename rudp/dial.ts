/** The client's side of a handshake, until it has an answer or gives up. */

import { ByteReader } from './byte_reader.ts';
import type { ConnectionHandle } from './connection.ts';
import type { ConnectionSeed } from './connection_parts.ts';
import { decodeIntroduction, encodeIntroduction, introductionOf } from './handshake_codec.ts';
import type { Introduction } from './handshake_codec.ts';
import { MAX_RETRIES_FOLLOWED } from './limits.ts';
import type { LossMeasures } from './loss_measure.ts';
import { NEVER, type Millis } from './millis.ts';
import type { ResolvedOptions } from './options.ts';
import {
  encodeHello,
  equalBytes,
  helloBound,
  PREFIX_BYTES,
  WELCOME_HEADER_BYTES,
} from './packet_codec.ts';
import type { ConnectionId } from './packet_codec.ts';
import type { HandshakeProtection } from './protection.ts';

/** So many hellos go at the first interval, so that a path that loses many costs little time. */
const QUICK_HELLOS = 8;
const FIRST_HELLO_INTERVAL_MS: Millis = 50;
const MAX_HELLO_INTERVAL_MS: Millis = 400;
/** One of the handshake's two round trips that is so much longer than the other had a loss in it. */
const LOSS_RTT_FACTOR = 1.5;
const LOSS_RTT_MS: Millis = 20;

export interface Dial {
  readonly handle: ConnectionHandle;
  readonly address: string;
  readonly localId: ConnectionId;
  readonly handshake: HandshakeProtection;
  /** The handshake message of every hello of this dial. */
  readonly message: Uint8Array;
  readonly giveUpAt: Millis;
  cookie: Uint8Array;
  nextHelloAt: Millis;
  intervalMs: Millis;
  retriesFollowed: number;
  /** When the only hello with this cookie went; `NEVER` if there were several, or none. */
  onlyHelloAt: Millis;
  /** Hellos since the cookie changed. */
  hellosWithCookie: number;
  readonly startedAt: Millis;
  /** When the cookie came; `NEVER` before. */
  cookieAt: Millis;
}

export const createDial = (
  handle: ConnectionHandle,
  address: string,
  localId: ConnectionId,
  options: ResolvedOptions,
  now: Millis,
): Dial => {
  const handshake = options.protection.initiator();
  const introduction = encodeIntroduction(introductionOf(options));
  return {
    handle,
    address,
    localId,
    handshake,
    message: handshake.write(introduction, helloBound(localId, options.clusterId)),
    giveUpAt: now + options.handshakeTimeoutMs,
    cookie: new Uint8Array(0),
    nextHelloAt: now,
    intervalMs: FIRST_HELLO_INTERVAL_MS,
    retriesFollowed: 0,
    onlyHelloAt: NEVER,
    hellosWithCookie: 0,
    startedAt: now,
    cookieAt: NEVER,
  };
};

/** What is said of somebody who answers, but to nothing under our key. */
export const COOKIES_ALONE = 'it gives out cookies, but does not answer to our key';

/** Why a dial ended that nobody answered. */
export const noAnswerFrom = ({ address, retriesFollowed }: Dial): string =>
  `no answer from ${address}${retriesFollowed > 0 ? `: ${COOKIES_ALONE}` : ''}`;

/** The next hello, if it is time for one. */
export const nextHello = (dial: Dial, now: Millis): Uint8Array | undefined => {
  if (dial.nextHelloAt > now) return undefined;
  dial.nextHelloAt = now + dial.intervalMs;
  dial.hellosWithCookie += 1;
  if (dial.hellosWithCookie >= QUICK_HELLOS) {
    dial.intervalMs = Math.min(dial.intervalMs * 2, MAX_HELLO_INTERVAL_MS);
  }
  dial.onlyHelloAt = dial.hellosWithCookie === 1 ? now : NEVER;
  return encodeHello(dial.localId, dial.cookie, dial.message);
};

/** Takes a retry: the next hello goes at once and carries its cookie. */
export const followRetry = (dial: Dial, datagram: Uint8Array, now: Millis): void => {
  if (dial.retriesFollowed >= MAX_RETRIES_FOLLOWED || datagram.length > PREFIX_BYTES + 255) return;
  dial.retriesFollowed += 1;
  const cookie = datagram.slice(PREFIX_BYTES);
  // Each hello without a cookie brings a retry: the later ones are no news.
  if (equalBytes(cookie, dial.cookie)) return;
  // A welcome may answer a hello under the cookie before, so it is no measure of the round trip.
  dial.hellosWithCookie = dial.cookie.length === 0 ? 0 : 1;
  dial.cookie = cookie;
  dial.cookieAt = now;
  dial.nextHelloAt = now;
  dial.intervalMs = FIRST_HELLO_INTERVAL_MS;
};

/** True if the handshake that ends now took longer than a path without losses would have let it. */
const showsLoss = ({ startedAt, cookieAt }: Dial, now: Millis): boolean => {
  const first = cookieAt - startedAt;
  const second = now - cookieAt;
  return Math.max(first, second) > LOSS_RTT_FACTOR * Math.min(first, second) + LOSS_RTT_MS;
};

/** What a welcome says: the server's id, and who it is. */
export interface Welcome {
  readonly remoteId: ConnectionId;
  readonly peer: Introduction;
}

/** Reads a welcome; undefined if it is damaged or of a foreign key. */
export const readWelcome = (dial: Dial, datagram: Uint8Array): Welcome | undefined => {
  const remoteId = new ByteReader(datagram, PREFIX_BYTES).uint53();
  const payload = dial.handshake.read(
    datagram.subarray(WELCOME_HEADER_BYTES),
    datagram.subarray(0, WELCOME_HEADER_BYTES),
  );
  const peer = payload && decodeIntroduction(new ByteReader(payload));
  return peer === undefined || remoteId === 0 ? undefined : { remoteId, peer };
};

/** What the connection begins with that `welcome` has brought about. */
export const seedOf = (
  dial: Dial,
  { remoteId, peer }: Welcome,
  losses: LossMeasures,
  now: Millis,
): ConnectionSeed => {
  // So that the first messages have copies already, if they will need them.
  if (showsLoss(dial, now)) losses.of(dial.address).onSettled(true);
  const { handle, address, localId, handshake } = dial;
  const protection = handshake.packets();
  return { handle, address, initiator: true, localId, remoteId, peer, protection, losses };
};
