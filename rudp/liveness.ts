/** Whether the peer is still there: the idle timeout (RFC 9000 §10.1), and pings to live through it. */

import { NEVER, type Millis } from './millis.ts';

/** The peer has at least so many probe timeouts to answer before it is given up. */
const IDLE_PTOS = 3;
/** After this part of the idle timeout without an answer, we ask again and again, */
const URGENT_AFTER = 1 / 2;
/** in steps of this part: six answers more must get lost before a live peer is given up. */
const URGENT_STEP = 1 / 16;

export class Liveness {
  readonly #idleTimeoutMs: Millis;
  readonly #keepaliveMs: Millis;
  #lastHeardAt: Millis;
  /** When we first asked for an answer after hearing from the peer; before that, when we heard. */
  #askedAt: Millis;
  #lastAskedAt: Millis;
  /** We wait for an answer. */
  #asked = false;
  #lastActivityAt: Millis;

  /** @param keepaliveMs 0 for no pings. */
  constructor(idleTimeoutMs: Millis, keepaliveMs: Millis, now: Millis) {
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#keepaliveMs = keepaliveMs;
    this.#lastHeardAt = now;
    this.#askedAt = now;
    this.#lastAskedAt = now;
    this.#lastActivityAt = now;
  }

  /** A packet of the peer came. */
  onHeard(now: Millis): void {
    this.#lastHeardAt = now;
    this.#askedAt = now;
    this.#asked = false;
    this.#lastActivityAt = now;
  }

  /** A packet went out. */
  onSent(asksForAnswer: boolean, now: Millis): void {
    this.#lastActivityAt = now;
    if (!asksForAnswer) return;
    this.#lastAskedAt = now;
    if (this.#asked) return;
    this.#asked = true;
    this.#askedAt = now;
  }

  /** How long the peer has been silent. */
  silentMs(now: Millis): Millis {
    return now - this.#lastHeardAt;
  }

  /**
   * When the peer counts as gone. `ptoMs` is the probe timeout without its backoff: the time must
   * not grow with the number of answers that do not come.
   */
  idleAt(ptoMs: Millis): Millis {
    return Math.max(this.#lastHeardAt + this.#idleTimeoutMs, this.#askedAt + IDLE_PTOS * ptoMs);
  }

  /** When the peer is to be asked for a sign of life. */
  askAt(): Millis {
    if (this.#asked) {
      const urgentAt = this.#lastHeardAt + URGENT_AFTER * this.#idleTimeoutMs;
      return Math.max(urgentAt, this.#lastAskedAt + URGENT_STEP * this.#idleTimeoutMs);
    }
    return this.#keepaliveMs === 0 ? NEVER : this.#lastActivityAt + this.#keepaliveMs;
  }

  /** It is being asked; answers whether that must not wait for congestion control. */
  onAsk(now: Millis): boolean {
    this.#lastActivityAt = now;
    this.#lastAskedAt = now;
    return this.#asked;
  }
}
