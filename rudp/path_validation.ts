/**
 * Moving a connection to a new address of its peer (RFC 9000 §8.2, §9): a NAT has changed its mind,
 * or the node has moved. The newest packet of the peer comes from an unknown address; what is sent
 * there is a challenge, and nothing else, until its answer has come from there. So nobody who
 * repeats our peer's packets, or puts another sender on them, moves a connection or has us flood a
 * third party. Until then the known address is used.
 */

import { PATH_FRAME_BYTES } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';

/** A validation is given up after so many probe timeouts (§8.2.4), */
const VALIDATION_PTOS = 3;
/** but the new path may be longer than the old one: those of a round trip of 333 ms (9002 §6.2.2). */
const LEAST_VALIDATION_MS: Millis = 3_000;
/** A challenge is repeated no sooner. */
const LEAST_INTERVAL_MS: Millis = 100;

/** The one address that may become the peer's. */
interface Candidate {
  readonly address: string;
  /** What must come back: a number that nobody guesses. */
  readonly token: number;
  readonly giveUpAt: Millis;
  /** The newest packet from there. */
  newestNumber: number;
  /** More than came from there is not sent there, to the byte. */
  creditBytes: number;
  challengeAt: Millis;
  /** When the only challenge went; `NEVER` if there were none, or several. */
  onlyChallengeAt: Millis;
  challenges: number;
}

interface ArrivedPacket {
  readonly from: string;
  /** Where the peer is known to be. */
  readonly known: string;
  readonly packetNumber: number;
  readonly receivedBytes: number;
  /** No packet with a higher number has come. */
  readonly isNewest: boolean;
  readonly ptoMs: Millis;
}

/** A packet with one frame that goes to an address of its own. */
export interface PathPacket {
  readonly to: string;
  readonly kind: 'challenge' | 'response';
  readonly token: number;
}

export interface ValidatedPath {
  readonly address: string;
  /** Undefined if there were several challenges. */
  readonly rttMs: Millis | undefined;
}

export class PathValidation {
  readonly #random: () => number;
  #candidate: Candidate | undefined;
  /** The newest challenge that is to be answered. */
  #response: PathPacket | undefined;
  /** Where the packet came from whose frames are being read. */
  #from = '';
  #validated: ValidatedPath | undefined;

  /** @param random as the option of the endpoint. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A packet comes from `from`; false if nothing of it is to be told to `onPacket`. */
  arrivesFrom(from: string, known: string): boolean {
    this.#from = from;
    return from !== known || this.#candidate !== undefined;
  }

  /**
   * A packet came that is whole and new. Answers true if a validation begins: then the known address should be asked for a sign of life.
   */
  onPacket(packet: ArrivedPacket, now: Millis): boolean {
    const { from, known, packetNumber, receivedBytes } = packet;
    const candidate = this.#candidate;
    if (from === known) {
      // The peer is still where it was (§9.3.3): somebody has only forwarded its packets faster.
      if (candidate !== undefined && packetNumber > candidate.newestNumber) {
        this.#candidate = undefined;
      }
      return false;
    }
    if (candidate?.address === from) {
      candidate.creditBytes += receivedBytes;
      candidate.newestNumber = Math.max(candidate.newestNumber, packetNumber);
      return false;
    }
    if (!packet.isNewest) return false;
    this.#candidate = {
      address: from,
      token: Math.floor(this.#random() * Number.MAX_SAFE_INTEGER),
      giveUpAt: now + Math.max(VALIDATION_PTOS * packet.ptoMs, LEAST_VALIDATION_MS),
      newestNumber: packetNumber,
      creditBytes: receivedBytes,
      challengeAt: now,
      onlyChallengeAt: NEVER,
      challenges: 0,
    };
    return true;
  }

  /** The peer wants to know whether we are at the address it has seen. */
  onChallenge(token: number): void {
    this.#response = { to: this.#from, kind: 'response', token };
  }

  /** An answer came: the right one, from the right address, validates that. */
  onResponse(token: number, now: Millis): void {
    const candidate = this.#candidate;
    if (candidate?.address !== this.#from || candidate.token !== token) return;
    if (candidate.challenges === 0) return;
    this.#candidate = undefined;
    const { address, onlyChallengeAt } = candidate;
    const rttMs = onlyChallengeAt === NEVER ? undefined : now - onlyChallengeAt;
    this.#validated = { address, rttMs };
  }

  /** The peer's new address, once. */
  takeValidated(): ValidatedPath | undefined {
    const validated = this.#validated;
    this.#validated = undefined;
    return validated;
  }

  /** When a challenge is due, or a validation is given up. */
  timeout(): Millis {
    const candidate = this.#candidate;
    if (candidate === undefined) return NEVER;
    const canPay = candidate.creditBytes >= PATH_FRAME_BYTES;
    return canPay ? Math.min(candidate.challengeAt, candidate.giveUpAt) : candidate.giveUpAt;
  }

  /** Gives up what has not been answered in time. */
  handleTimeout(now: Millis): void {
    if (this.#candidate !== undefined && this.#candidate.giveUpAt <= now) {
      this.#candidate = undefined;
    }
  }

  /** The next packet to send, of `PATH_FRAME_BYTES` at most. */
  poll(ptoMs: Millis, now: Millis): PathPacket | undefined {
    const response = this.#response;
    if (response !== undefined) {
      this.#response = undefined;
      return response;
    }
    const candidate = this.#candidate;
    if (candidate === undefined || candidate.challengeAt > now) return undefined;
    if (candidate.creditBytes < PATH_FRAME_BYTES) return undefined;
    candidate.creditBytes -= PATH_FRAME_BYTES;
    candidate.challenges += 1;
    candidate.challengeAt = now + Math.max(ptoMs, LEAST_INTERVAL_MS);
    candidate.onlyChallengeAt = candidate.challenges === 1 ? now : NEVER;
    return { to: candidate.address, kind: 'challenge', token: candidate.token };
  }
}
