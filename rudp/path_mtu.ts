/**
 * The length of datagrams on one path. It starts at what both sides take; if large packets alone
 * keep getting lost, the path does not carry them (a black hole, RFC 8899 §4.3) and it falls back
 * to 1,200 bytes, which every path must carry, and tries the large size again now and then.
 */

import { MIN_DATAGRAM_BYTES } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';

/** Large packets lost, with none acknowledged that was sent after the first of them. */
const BLACK_HOLE_LOSSES = 4;
const FIRST_PROBE_AFTER_MS: Millis = 2_000;
const MAX_PROBE_INTERVAL_MS: Millis = 60_000;

export class PathMtu {
  /** Datagrams are no longer than this now. */
  currentBytes: number;
  /** How often it fell back. */
  blackHoles = 0;
  readonly #maxBytes: number;
  #largestLargeAcked = -1;
  #suspiciousLosses = 0;
  #probeAt: Millis = NEVER;
  #probeIntervalMs: Millis = FIRST_PROBE_AFTER_MS;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.currentBytes = maxBytes;
  }

  /** A packet arrived; answers whether `currentBytes` changed. */
  onAcked(packetNumber: number, sizeBytes: number): boolean {
    if (sizeBytes <= MIN_DATAGRAM_BYTES) return false;
    this.#largestLargeAcked = Math.max(this.#largestLargeAcked, packetNumber);
    this.#suspiciousLosses = 0;
    if (sizeBytes <= this.currentBytes) return false;
    this.currentBytes = this.#maxBytes;
    this.#probeAt = NEVER;
    this.#probeIntervalMs = FIRST_PROBE_AFTER_MS;
    return true;
  }

  /** A packet was lost; answers whether `currentBytes` changed. */
  onLost(packetNumber: number, sizeBytes: number, now: Millis): boolean {
    const large = sizeBytes > MIN_DATAGRAM_BYTES && sizeBytes <= this.currentBytes;
    if (!large || packetNumber < this.#largestLargeAcked) return false;
    this.#suspiciousLosses += 1;
    if (this.#suspiciousLosses < BLACK_HOLE_LOSSES) return false;
    this.#suspiciousLosses = 0;
    this.blackHoles += 1;
    this.currentBytes = MIN_DATAGRAM_BYTES;
    this.#probeAt = now + this.#probeIntervalMs;
    return true;
  }

  /** When a probe is due. */
  get probeAt(): Millis {
    return this.#probeAt;
  }

  /** The size of the probe that is sent now; the next one waits twice as long. */
  takeProbe(now: Millis): number {
    this.#probeIntervalMs = Math.min(this.#probeIntervalMs * 2, MAX_PROBE_INTERVAL_MS);
    this.#probeAt = now + this.#probeIntervalMs;
    return this.#maxBytes;
  }
}
