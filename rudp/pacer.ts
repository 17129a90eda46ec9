/**
 * Pacing (RFC 9002 §7.7): spreads a window over the round trip by a token bucket. Node's timers
 * fire no more often than once a millisecond, so the bucket holds what may go in two of them.
 */

import type { Millis } from './millis.ts';

/** Faster than the window's own rate, so that pacing alone never leaves the window unused. */
const RATE_FACTOR = 1.25;
const BURST_PACKETS = 10;
const BURST_MS: Millis = 2;
const SHORTEST_RTT_MS: Millis = 0.01;
/** Rounding must neither keep a packet back nor yield a release time that is not after now. */
const TOLERANCE_BYTES = 1;
const SHORTEST_WAIT_MS: Millis = 0.001;

export class Pacer {
  #tokens = Number.POSITIVE_INFINITY;
  #filledAt: Millis = 0;

  /** The earliest time at which a packet of `sizeBytes` may go; `now` or before if that is at once. */
  releaseTime(
    now: Millis,
    sizeBytes: number,
    windowBytes: number,
    smoothedRtt: Millis,
    maxDatagramBytes: number,
  ): Millis {
    const rate = (RATE_FACTOR * windowBytes) / Math.max(smoothedRtt, SHORTEST_RTT_MS);
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
