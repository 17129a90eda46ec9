/** Congestion control as an interface; the one place where a controller is chosen. */

import { createBbr } from './bbr.ts';
import { createCubic } from './cubic.ts';
import type { RateSample } from './delivery_rate.ts';
import type { Millis } from './millis.ts';
import { createNewReno } from './new_reno.ts';

/** Decides how many bytes may be in flight. It sees events and the time, and sends nothing itself. */
export interface CongestionController {
  readonly name: CongestionName;
  /** The congestion window in bytes. */
  readonly windowBytes: number;
  /** The slow start threshold in bytes; infinite before the first loss, and where there is none. */
  readonly ssthreshBytes: number;
  /** A packet of `sizeBytes` was sent; `bytesInFlight` includes it. */
  onSent(sizeBytes: number, bytesInFlight: number, now: Millis): void;
  /**
   * A packet sent at `timeSent` was acknowledged. `limited` says that the window, and not a lack
   * of data, held the sender back: only then may it grow (RFC 9002 §7.8).
   */
  onAcked(
    sizeBytes: number,
    timeSent: Millis,
    smoothedRtt: Millis,
    limited: boolean,
    now: Millis,
  ): void;
  /** What a whole ACK frame says, after `onAcked` and `onLost` for its packets. */
  onRateSample(sample: RateSample, now: Millis): void;
  /** Packets were lost, `lostBytes` together, the newest of them sent at `timeSent`. */
  onLost(lostBytes: number, timeSent: Millis, persistent: boolean, now: Millis): void;
  /** All that was declared lost in the last congestion event has arrived: it was none. */
  onSpuriousLoss(): void;
  /** The rate to send at, in bytes per millisecond. */
  pacingRate(smoothedRtt: Millis): number;
  /** The longest datagram has changed. */
  setMaxDatagramBytes(bytes: number): void;
}

const CONTROLLERS = { newreno: createNewReno, cubic: createCubic, bbr: createBbr } as const;

export type CongestionName = keyof typeof CONTROLLERS;

export const isCongestionName = (name: string): name is CongestionName =>
  Object.hasOwn(CONTROLLERS, name);

export const createCongestionController = (
  name: CongestionName,
  maxDatagramBytes: number,
): CongestionController => CONTROLLERS[name](maxDatagramBytes);
