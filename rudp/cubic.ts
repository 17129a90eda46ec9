/** CUBIC (RFC 9438): the window grows by a cubic function of the time since the last congestion. */

import type { CongestionController } from './congestion.ts';
import type { Millis } from './millis.ts';
import { initialWindowBytes, MINIMUM_WINDOW_PACKETS, windowPacingRate } from './window.ts';

/** β of §4.6: what is left of the window after congestion. */
const BETA = 0.7;
/** C of §5, in packets per cubed second. */
const C = 0.4;
/** α of §4.3: grows as fast as Reno does, given β. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);
/** Growth in one round trip is bounded by this part of the window (§4.4). */
const MAX_TARGET_FACTOR = 1.5;
const MS_PER_SECOND = 1000;

/** What an undo brings back (§4.9.1). */
interface BeforeCongestion {
  readonly windowBytes: number;
  readonly ssthreshBytes: number;
  readonly maxBytes: number;
}

class Cubic implements CongestionController {
  readonly name = 'cubic';
  windowBytes: number;
  ssthreshBytes = Number.POSITIVE_INFINITY;
  #maxDatagramBytes: number;
  #recoveryStart: Millis = Number.NEGATIVE_INFINITY;
  /** The window before the last reduction, W_max. */
  #maxBytes = 0;
  /** When this epoch of congestion avoidance began; undefined until its first acknowledgement. */
  #epochStart: Millis | undefined;
  /** The seconds until the cubic function is at W_max again, K. */
  #plateauSeconds = 0;
  /** What Reno's window would be, W_est. */
  #renoBytes = 0;
  #before: BeforeCongestion | undefined;

  constructor(maxDatagramBytes: number) {
    this.#maxDatagramBytes = maxDatagramBytes;
    this.windowBytes = initialWindowBytes(maxDatagramBytes);
  }

  onSent(): void {
    // Only controllers that measure rates need it.
  }

  onAcked(
    sizeBytes: number,
    timeSent: Millis,
    smoothedRtt: Millis,
    limited: boolean,
    now: Millis,
  ): void {
    if (!limited || timeSent <= this.#recoveryStart) return;
    if (this.windowBytes < this.ssthreshBytes) this.windowBytes += sizeBytes;
    else this.#grow(sizeBytes, smoothedRtt, now);
  }

  onRateSample(): void {
    // CUBIC is driven by losses alone.
  }

  /** Congestion avoidance (§4.2 to §4.5). */
  #grow(sizeBytes: number, smoothedRtt: Millis, now: Millis): void {
    if (this.#epochStart === undefined) this.#beginEpoch(now);
    const elapsed = now - (this.#epochStart ?? now);
    const packets = this.#maxDatagramBytes;
    this.#renoBytes += (ALPHA * sizeBytes * packets) / this.windowBytes;
    const seconds = (elapsed + smoothedRtt) / MS_PER_SECOND - this.#plateauSeconds;
    const cubicBytes = this.#maxBytes + C * seconds ** 3 * packets;
    const target = Math.min(
      Math.max(cubicBytes, this.windowBytes),
      MAX_TARGET_FACTOR * this.windowBytes,
    );
    this.windowBytes += ((target - this.windowBytes) * sizeBytes) / this.windowBytes;
    this.windowBytes = Math.max(this.windowBytes, this.#renoBytes);
  }

  #beginEpoch(now: Millis): void {
    this.#epochStart = now;
    this.#renoBytes = this.windowBytes;
    this.#maxBytes = Math.max(this.#maxBytes, this.windowBytes);
    const missing = (this.#maxBytes - this.windowBytes) / this.#maxDatagramBytes;
    this.#plateauSeconds = Math.cbrt(missing / C);
  }

  onLost(_lostBytes: number, timeSent: Millis, persistent: boolean, now: Millis): void {
    const minimum = MINIMUM_WINDOW_PACKETS * this.#maxDatagramBytes;
    if (timeSent > this.#recoveryStart) {
      const { windowBytes, ssthreshBytes } = this;
      this.#before = { windowBytes, ssthreshBytes, maxBytes: this.#maxBytes };
      this.#recoveryStart = now;
      this.#epochStart = undefined;
      // Fast convergence (§4.7): whoever had to give way before makes room for newcomers.
      const shrinking = windowBytes < this.#maxBytes;
      this.#maxBytes = shrinking ? (windowBytes * (1 + BETA)) / 2 : windowBytes;
      this.ssthreshBytes = Math.max(windowBytes * BETA, minimum);
      this.windowBytes = this.ssthreshBytes;
    }
    if (persistent) {
      this.windowBytes = minimum;
      this.#recoveryStart = Number.NEGATIVE_INFINITY;
      this.#epochStart = undefined;
      this.#before = undefined;
    }
  }

  onSpuriousLoss(): void {
    if (this.#before === undefined) return;
    this.windowBytes = Math.max(this.windowBytes, this.#before.windowBytes);
    this.ssthreshBytes = this.#before.ssthreshBytes;
    this.#maxBytes = this.#before.maxBytes;
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#epochStart = undefined;
    this.#before = undefined;
  }

  pacingRate(smoothedRtt: Millis): number {
    return windowPacingRate(this.windowBytes, smoothedRtt);
  }

  setMaxDatagramBytes(bytes: number): void {
    this.#maxDatagramBytes = bytes;
    this.windowBytes = Math.max(this.windowBytes, MINIMUM_WINDOW_PACKETS * bytes);
  }
}

export const createCubic = (maxDatagramBytes: number): CongestionController =>
  new Cubic(maxDatagramBytes);
