/** The estimate of the round-trip time (RFC 9002 §5). All times in milliseconds. */

import type { Millis } from './millis.ts';

/** The granularity of timers, kGranularity (RFC 9002 §6.1.2). */
export const GRANULARITY_MS: Millis = 1;

export class RttEstimator {
  latestRtt: Millis = 0;
  smoothedRtt: Millis;
  rttvar: Millis;
  minRtt: Millis = 0;
  /** False until the first sample: the other fields are a guess till then. */
  hasSample = false;
  /** When the first sample was taken; persistent congestion is not looked for before it. */
  firstSampleAt: Millis = 0;

  constructor(initialRttMs: Millis) {
    this.smoothedRtt = initialRttMs;
    this.rttvar = initialRttMs / 2;
  }

  /**
   * Takes a sample. `ackDelay` is what the peer says it waited, already capped at its
   * max_ack_delay; it is not believed where it would bring the sample below `minRtt`.
   */
  update(latestRtt: Millis, ackDelay: Millis, now: Millis): void {
    this.latestRtt = latestRtt;
    if (!this.hasSample) {
      this.hasSample = true;
      this.firstSampleAt = now;
      this.minRtt = latestRtt;
      this.smoothedRtt = latestRtt;
      this.rttvar = latestRtt / 2;
      return;
    }
    this.minRtt = Math.min(this.minRtt, latestRtt);
    const adjusted = latestRtt >= this.minRtt + ackDelay ? latestRtt - ackDelay : latestRtt;
    this.rttvar = 0.75 * this.rttvar + 0.25 * Math.abs(this.smoothedRtt - adjusted);
    this.smoothedRtt = 0.875 * this.smoothedRtt + 0.125 * adjusted;
  }

  /** The probe timeout without backoff (RFC 9002 §6.2.1). */
  ptoMs(maxAckDelayMs: Millis): Millis {
    return this.smoothedRtt + Math.max(4 * this.rttvar, GRANULARITY_MS) + maxAckDelayMs;
  }

  /**
   * How long after an earlier packet a later one must be acknowledged for the earlier to be lost, as a
   * multiple of the round trip (§6.1.2).
   */
  lossDelayMs(factor: number): Millis {
    return Math.max(factor * Math.max(this.latestRtt, this.smoothedRtt), GRANULARITY_MS);
  }
}
