/**
 * How fast the path delivers (draft-cheng-iccrg-delivery-rate-estimation): each packet notes how
 * much had been delivered when it left; when it is acknowledged, what was delivered since, over the
 * longer of the time it took to send and the time it took to be acknowledged, is a sample.
 */

import type { Millis } from './millis.ts';
import type { SentPacket } from './sent_packets.ts';

/** What one ACK frame says; one object is filled again and again. */
export interface RateSample {
  /** Bytes per millisecond; 0 if the acknowledgement allows no sample. */
  deliveryRate: number;
  /** The application had less to send than the path would have taken: the true rate is higher. */
  appLimited: boolean;
  /** What had been delivered when the newest acknowledged packet was sent; counts round trips. */
  priorDelivered: number;
  /** What has been delivered in all. */
  delivered: number;
  ackedBytes: number;
  /** What is in flight after this acknowledgement. */
  bytesInFlight: number;
  latestRtt: Millis;
  smoothedRtt: Millis;
}

/** A rate over less time than this is noise of the clock. */
const SHORTEST_INTERVAL_MS: Millis = 0.01;

export class DeliveryRate {
  delivered = 0;
  readonly sample: RateSample = {
    deliveryRate: 0,
    appLimited: false,
    priorDelivered: 0,
    delivered: 0,
    ackedBytes: 0,
    bytesInFlight: 0,
    latestRtt: 0,
    smoothedRtt: 0,
  };
  #deliveredAt: Millis = 0;
  /** When the first packet of the flight that is being sampled was sent. */
  #firstSentAt: Millis = 0;
  /** Packets sent before so much is delivered are app-limited; 0 if none is. */
  #appLimitedUntil = 0;

  /** A packet goes out; `bytesInFlight` does not include it. */
  onSent(packet: SentPacket, bytesInFlight: number, now: Millis): void {
    if (bytesInFlight === 0) {
      this.#firstSentAt = now;
      this.#deliveredAt = now;
    }
    packet.delivered = this.delivered;
    packet.deliveredAt = this.#deliveredAt;
    packet.firstSentAt = this.#firstSentAt;
    packet.appLimited = this.#appLimitedUntil > 0;
  }

  /** There is nothing to send, though congestion control would let it go. */
  onAppLimited(bytesInFlight: number): void {
    this.#appLimitedUntil = Math.max(this.delivered + bytesInFlight, 1);
  }

  /** Fills `sample` by the packets that one ACK frame acknowledged, the newest first. */
  onAcked(acked: readonly SentPacket[], minRtt: Millis, now: Millis): void {
    const { sample } = this;
    sample.ackedBytes = 0;
    sample.deliveryRate = 0;
    const newest = acked[0];
    if (newest === undefined) return;
    for (const packet of acked) sample.ackedBytes += packet.sizeBytes;
    this.delivered += sample.ackedBytes;
    this.#deliveredAt = now;
    this.#firstSentAt = newest.timeSent;
    if (this.delivered > this.#appLimitedUntil) this.#appLimitedUntil = 0;
    sample.delivered = this.delivered;
    sample.priorDelivered = newest.delivered;
    sample.appLimited = newest.appLimited;
    const sendMs = newest.timeSent - newest.firstSentAt;
    const ackMs = now - newest.deliveredAt;
    const intervalMs = Math.max(sendMs, ackMs, SHORTEST_INTERVAL_MS);
    // Less than a round trip means that acknowledgements came in a bunch: no rate can be read.
    if (intervalMs >= minRtt) {
      sample.deliveryRate = (this.delivered - newest.delivered) / intervalMs;
    }
  }
}
