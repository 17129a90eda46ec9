/** NewReno as QUIC has it (RFC 9002 §7, appendix B). */

import type { CongestionController } from './congestion.ts';
import type { Millis } from './millis.ts';
import { initialWindowBytes, MINIMUM_WINDOW_PACKETS, windowPacingRate } from './window.ts';

const LOSS_REDUCTION_FACTOR = 0.5;

class NewReno implements CongestionController {
  readonly name = 'newreno';
  windowBytes: number;
  ssthreshBytes = Number.POSITIVE_INFINITY;
  #maxDatagramBytes: number;
  /** Losses of packets sent up to here belong to a congestion event that was already answered. */
  #recoveryStart: Millis = Number.NEGATIVE_INFINITY;
  /** The window before the last reduction, for its undo; 0 if there is nothing to undo. */
  #windowBefore = 0;
  #ssthreshBefore = 0;

  constructor(maxDatagramBytes: number) {
    this.#maxDatagramBytes = maxDatagramBytes;
    this.windowBytes = initialWindowBytes(maxDatagramBytes);
  }

  onSent(): void {
    // NewReno has no use for it; controllers that measure rates do.
  }

  onAcked(sizeBytes: number, timeSent: Millis, _smoothedRtt: Millis, limited: boolean): void {
    if (!limited || timeSent <= this.#recoveryStart) return;
    this.windowBytes +=
      this.windowBytes < this.ssthreshBytes
        ? sizeBytes
        : (this.#maxDatagramBytes * sizeBytes) / this.windowBytes;
  }

  onRateSample(): void {
    // Nor for rates.
  }

  onLost(_lostBytes: number, timeSent: Millis, persistent: boolean, now: Millis): void {
    const minimum = MINIMUM_WINDOW_PACKETS * this.#maxDatagramBytes;
    if (timeSent > this.#recoveryStart) {
      this.#windowBefore = this.windowBytes;
      this.#ssthreshBefore = this.ssthreshBytes;
      this.#recoveryStart = now;
      this.ssthreshBytes = this.windowBytes * LOSS_REDUCTION_FACTOR;
      this.windowBytes = Math.max(this.ssthreshBytes, minimum);
    }
    if (persistent) {
      this.windowBytes = minimum;
      this.#recoveryStart = Number.NEGATIVE_INFINITY;
      this.#windowBefore = 0;
    }
  }

  onSpuriousLoss(): void {
    if (this.#windowBefore === 0) return;
    this.windowBytes = Math.max(this.windowBytes, this.#windowBefore);
    this.ssthreshBytes = this.#ssthreshBefore;
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#windowBefore = 0;
  }

  pacingRate(smoothedRtt: Millis): number {
    return windowPacingRate(this.windowBytes, smoothedRtt);
  }

  setMaxDatagramBytes(bytes: number): void {
    this.#maxDatagramBytes = bytes;
    this.windowBytes = Math.max(this.windowBytes, MINIMUM_WINDOW_PACKETS * bytes);
  }
}

export const createNewReno = (maxDatagramBytes: number): CongestionController =>
  new NewReno(maxDatagramBytes);
