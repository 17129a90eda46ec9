/**
 * Pacing (RFC 9002 §7.7): a token bucket that spreads packets over time at the rate that congestion
 * control names. Node's timers fire no more often than once a millisecond, so the bucket holds what
 * may go in two of them.
 */

import type { Millis } from './millis.ts';

const BURST_PACKETS = 10;
const BURST_MS: Millis = 2;
/** Rounding must neither keep a packet back nor yield a release time that is not after now. */
const TOLERANCE_BYTES = 1;
const SHORTEST_WAIT_MS: Millis = 0.001;

export class Pacer {
  #tokens = Number.POSITIVE_INFINITY;
  #filledAt: Millis = 0;

  /**
   * The earliest time at which a packet of `sizeBytes` may go; `now` or before if that is at once.
   * `rate` is in bytes per millisecond.
   */
  releaseTime(now: Millis, sizeBytes: number, rate: number, maxDatagramBytes: number): Millis {
    const capacity = Math.max(BURST_PACKETS * maxDatagramBytes, BURST_MS * rate);
    this.#tokens = Math.min(capacity, this.#tokens + (now - this.#filledAt) * rate);
    this.#filledAt = now;
    const missing = sizeBytes - this.#tokens;
    return missing <= TOLERANCE_BYTES ? now : now + Math.max(missing / rate, SHORTEST_WAIT_MS);
  }

  onSent(sizeBytes: number): void {
    this.#tokens -= sizeBytes;
  }
}
