/** Which packets have arrived, which are lost, and when to probe (RFC 9002 §6, appendix A). */

import { NEVER, type Millis } from './millis.ts';
import { Reordering } from './reordering.ts';
import { RttEstimator } from './rtt.ts';
import { SentPackets, type SentPacket } from './sent_packets.ts';

/** Probe timeouts double up to this one: after an outage a peer is found again within a second. */
const MAX_PTO_MS: Millis = 1000;
/** Probe timeouts without an answer after which losses mean persistent congestion (§7.6.1). */
const PERSISTENT_CONGESTION_THRESHOLD = 3;
const MAX_PTO_DOUBLINGS = 16;

export class LossDetection {
  readonly sent = new SentPackets();
  rtt: RttEstimator;
  bytesInFlight = 0;
  /** −1 until the first acknowledgement. */
  largestAcked = -1;
  ptoCount = 0;
  packetsLost = 0;
  reordering = new Reordering();
  /** Filled by `handleAck` and `detectLost`; whoever called them settles and releases each. */
  readonly acked: SentPacket[] = [];
  readonly lost: SentPacket[] = [];
  /** True if the packets in `lost` show persistent congestion. */
  persistentCongestion = false;
  readonly #peerMaxAckDelayMs: Millis;
  #lossTime: Millis = NEVER;
  #lastElicitingSentAt: Millis = 0;

  constructor(initialRttMs: Millis, peerMaxAckDelayMs: Millis) {
    this.rtt = new RttEstimator(initialRttMs);
    this.#peerMaxAckDelayMs = peerMaxAckDelayMs;
  }

  /** A packet went out; `packet` only if it asks for an acknowledgement. */
  onSent(packet: SentPacket | undefined, now: Millis): void {
    if (packet !== undefined) {
      packet.packetNumber = this.sent.nextPacketNumber;
      packet.timeSent = now;
      this.bytesInFlight += packet.sizeBytes;
      this.#lastElicitingSentAt = now;
    }
    this.sent.push(packet);
  }

  /**
   * Takes an ACK frame, its ranges as descending half-open bounds. Afterwards `acked` and `lost`
   * hold what it settled. False if it acknowledges a packet that was never sent.
   */
  handleAck(bounds: readonly number[], ackDelayMs: Millis, now: Millis): boolean {
    const largest = (bounds[1] ?? 0) - 1;
    if (largest >= this.sent.nextPacketNumber) return false;
    this.acked.length = 0;
    this.lost.length = 0;
    this.largestAcked = Math.max(this.largestAcked, largest);
    for (let index = 0; index < bounds.length; index += 2) {
      this.#collect(bounds[index] ?? 0, bounds[index + 1] ?? 0);
    }
    const newest = this.acked[0];
    if (newest === undefined) return true;
    if (newest.packetNumber === largest) {
      this.rtt.update(now - newest.timeSent, Math.min(ackDelayMs, this.#peerMaxAckDelayMs), now);
    }
    for (const packet of this.acked) this.#settle(packet);
    this.ptoCount = 0;
    this.detectLost(now);
    return true;
  }

  /** Adds the packets of one range to `acked`, newest first. */
  #collect(start: number, end: number): void {
    if (start < this.sent.base) this.reordering.onAcked(start, end, this.largestAcked);
    for (let number = end - 1; number >= Math.max(start, this.sent.base); number -= 1) {
      const packet = this.sent.get(number);
      if (packet !== undefined) this.acked.push(packet);
    }
  }

  #settle(packet: SentPacket): void {
    this.bytesInFlight -= packet.sizeBytes;
    this.sent.remove(packet);
  }

  /** Declares packets lost by both thresholds (§6.1); fills `lost`, oldest first. */
  detectLost(now: Millis): void {
    this.lost.length = 0;
    this.persistentCongestion = false;
    this.#lossTime = NEVER;
    const { packetThreshold, timeFactor } = this.reordering;
    const lossDelayMs = this.rtt.lossDelayMs(timeFactor);
    for (let number = this.sent.base; number <= this.largestAcked; number += 1) {
      const packet = this.sent.get(number);
      if (packet === undefined) continue;
      const lostAt = packet.timeSent + lossDelayMs;
      packet.lostByTime = this.largestAcked - number < packetThreshold;
      if (!packet.lostByTime || lostAt <= now) {
        this.lost.push(packet);
      } else {
        this.#lossTime = Math.min(this.#lossTime, lostAt);
      }
    }
    for (const packet of this.lost) {
      this.#settle(packet);
      this.reordering.onLost(packet.packetNumber, this.sent.nextPacketNumber);
    }
    this.packetsLost += this.lost.length;
    if (this.lost.length > 1) this.persistentCongestion = this.#isPersistent();
  }

  /** Looks in `lost` for an unbroken run of packets that spans the persistent duration (§7.6). */
  #isPersistent(): boolean {
    if (!this.rtt.hasSample) return false;
    const duration = this.rtt.ptoMs(this.#peerMaxAckDelayMs) * PERSISTENT_CONGESTION_THRESHOLD;
    let runStart: Millis = 0;
    let previous = -2;
    for (const packet of this.lost) {
      if (packet.timeSent <= this.rtt.firstSampleAt) continue;
      if (packet.packetNumber !== previous + 1) runStart = packet.timeSent;
      previous = packet.packetNumber;
      if (packet.timeSent - runStart > duration) return true;
    }
    return false;
  }

  /** The path is another one: nothing is known of it, and `lost` has all that was in flight. */
  startOver(initialRttMs: Millis): void {
    this.rtt = new RttEstimator(initialRttMs);
    this.reordering = new Reordering();
    this.ptoCount = 0;
    this.persistentCongestion = false;
    this.#lossTime = NEVER;
    this.lost.length = 0;
    for (let number = this.sent.base; number < this.sent.nextPacketNumber; number += 1) {
      const packet = this.sent.get(number);
      if (packet !== undefined) this.lost.push(packet);
    }
    for (const packet of this.lost) this.#settle(packet);
  }

  /** The probe timeout with its backoff. */
  ptoMs(): Millis {
    const base = this.rtt.ptoMs(this.#peerMaxAckDelayMs);
    const backedOff = base * 2 ** Math.min(this.ptoCount, MAX_PTO_DOUBLINGS);
    return Math.min(backedOff, Math.max(base, MAX_PTO_MS));
  }

  /** When `handleTimeout` is due. */
  timeout(): Millis {
    if (this.#lossTime !== NEVER) return this.#lossTime;
    return this.sent.outstanding === 0 ? NEVER : this.#lastElicitingSentAt + this.ptoMs();
  }

  /** Answers what the time has brought: packets in `lost`, or a probe to send. */
  handleTimeout(now: Millis): 'lost' | 'probe' {
    if (this.#lossTime !== NEVER) {
      this.detectLost(now);
      return 'lost';
    }
    this.ptoCount += 1;
    return 'probe';
  }
}
