/** NewReno as QUIC has it (RFC 9002 §7, appendix B). */

import type { CongestionController } from './congestion.ts';
import type { Millis } from './millis.ts';

const INITIAL_WINDOW_PACKETS = 10;
const INITIAL_WINDOW_BYTES = 14_720;
const MINIMUM_WINDOW_PACKETS = 2;
const LOSS_REDUCTION_FACTOR = 0.5;

class NewReno implements CongestionController {
  readonly name = 'newreno';
  windowBytes: number;
  ssthreshBytes = Number.POSITIVE_INFINITY;
  #maxDatagramBytes: number;
  /** Losses of packets sent up to here belong to a congestion event that was already answered. */
  #recoveryStart: Millis = Number.NEGATIVE_INFINITY;

  constructor(maxDatagramBytes: number) {
    this.#maxDatagramBytes = maxDatagramBytes;
    this.windowBytes = Math.min(
      INITIAL_WINDOW_PACKETS * maxDatagramBytes,
      Math.max(INITIAL_WINDOW_BYTES, MINIMUM_WINDOW_PACKETS * maxDatagramBytes),
    );
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

  onLost(_lostBytes: number, timeSent: Millis, persistent: boolean, now: Millis): void {
    const minimum = MINIMUM_WINDOW_PACKETS * this.#maxDatagramBytes;
    if (timeSent > this.#recoveryStart) {
      this.#recoveryStart = now;
      this.ssthreshBytes = this.windowBytes * LOSS_REDUCTION_FACTOR;
      this.windowBytes = Math.max(this.ssthreshBytes, minimum);
    }
    if (persistent) {
      this.windowBytes = minimum;
      this.#recoveryStart = Number.NEGATIVE_INFINITY;
    }
  }

  setMaxDatagramBytes(bytes: number): void {
    this.#maxDatagramBytes = bytes;
    this.windowBytes = Math.max(this.windowBytes, MINIMUM_WINDOW_PACKETS * bytes);
  }
}

export const createNewReno = (maxDatagramBytes: number): CongestionController =>
  new NewReno(maxDatagramBytes);
