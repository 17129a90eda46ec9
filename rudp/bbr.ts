/**
 * Congestion control by a model of the path, after BBR (draft-ietf-ccwg-bbr): send at the rate
 * that the path was seen to deliver, keep little more in flight than that rate fills, and test now
 * and then whether there is more. It differs from BBR where losses are concerned: what the path
 * loses by chance (random_loss.ts) is made up for by sending so much more; only what is lost beyond
 * that is congestion, and bounds what is in flight.
 */

import type { CongestionController } from './congestion.ts';
import type { RateSample } from './delivery_rate.ts';
import type { Millis } from './millis.ts';
import { RandomLoss } from './random_loss.ts';
import { WindowedMax } from './windowed_max.ts';

/** Doubles the rate every round trip (2 / ln 2). */
const STARTUP_GAIN = 2.885;
const WINDOW_GAIN = 2;
/** Test for more, give way to the queue that made, then cruise for six round trips. */
const CYCLE_GAINS = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const;
const CRUISE_PHASE = 2;
/** A little below what was measured, so that no queue stays for ever. */
const PACING_MARGIN = 0.99;
/** The highest rate is forgotten after so many round trips. */
const RATE_ROUNDS = 10;
/** The path is full when so many round trips brought less than a quarter more. */
const FULL_ROUNDS = 3;
const FULL_GROWTH = 1.25;
const MIN_RTT_WINDOW_MS: Millis = 5_000;
const PROBE_RTT_MS: Millis = 200;
const PROBE_RTT_GAIN = 0.5;
const INITIAL_WINDOW_PACKETS = 32;
const MINIMUM_WINDOW_PACKETS = 4;
/** An answer may wait so long for the turn of either process: it is no queue, and needs window. */
const HOST_DELAY_MS: Millis = 1;
/** A round trip whose least RTT is above this many least RTTs had a queue all the time. */
const QUEUED_RTT_FACTOR = 1.25;
/** What congestion leaves of the bytes in flight. */
const CONGESTION_BETA = 0.8;
/** The rate of the first flight is spread over at least this. */
const SHORTEST_RTT_MS: Millis = 0.1;

type Mode = 'startup' | 'drain' | 'probeRate' | 'probeRtt';

class Bbr implements CongestionController {
  readonly name = 'bbr';
  readonly ssthreshBytes = Number.POSITIVE_INFINITY;
  windowBytes: number;
  #maxDatagramBytes: number;
  #mode: Mode = 'startup';
  #gain = STARTUP_GAIN;
  readonly #rate = new WindowedMax(RATE_ROUNDS);
  readonly #chance = new RandomLoss();
  #minRtt: Millis = Number.POSITIVE_INFINITY;
  #minRttAt: Millis = 0;
  /** A round trip ends when what was sent after this was delivered is acknowledged. */
  #roundEnd = 0;
  #roundAcked = 0;
  #roundLost = 0;
  #roundMinRtt: Millis = Number.POSITIVE_INFINITY;
  #roundMaxInFlight = 0;
  #fullRate = 0;
  #fullRounds = 0;
  #isFull = false;
  #phase = CRUISE_PHASE;
  #phaseAt: Millis = 0;
  #probeRttUntil: Millis | undefined;
  /** Congestion has shown that no more than this fits on the path. */
  #inflightHigh = Number.POSITIVE_INFINITY;
  /** By how many packets the bound is raised in the next round trip without congestion. */
  #raisePackets = 1;

  constructor(maxDatagramBytes: number) {
    this.#maxDatagramBytes = maxDatagramBytes;
    this.windowBytes = INITIAL_WINDOW_PACKETS * maxDatagramBytes;
  }

  onSent(_sizeBytes: number, bytesInFlight: number): void {
    if (bytesInFlight > this.#roundMaxInFlight) this.#roundMaxInFlight = bytesInFlight;
  }

  onAcked(): void {
    // Whole ACK frames are what it works on.
  }

  onLost(lostBytes: number, _timeSent: Millis, persistent: boolean): void {
    this.#roundLost += lostBytes;
    if (persistent) this.windowBytes = MINIMUM_WINDOW_PACKETS * this.#maxDatagramBytes;
  }

  onSpuriousLoss(): void {
    this.#inflightHigh = Number.POSITIVE_INFINITY;
  }

  onRateSample(sample: RateSample, now: Millis): void {
    if (sample.ackedBytes === 0) return;
    this.#roundAcked += sample.ackedBytes;
    this.#roundMinRtt = Math.min(this.#roundMinRtt, sample.latestRtt);
    const { deliveryRate } = sample;
    if (deliveryRate > 0 && (!sample.appLimited || deliveryRate >= this.#rate.value)) {
      this.#rate.take(deliveryRate);
    }
    if (sample.priorDelivered >= this.#roundEnd) this.#endRound(sample);
    this.#updateMinRtt(sample, now);
    this.#updateMode(sample, now);
    this.#updateWindow(sample);
  }

  #endRound(sample: RateSample): void {
    this.#roundEnd = sample.delivered;
    const queued =
      this.#roundMinRtt > QUEUED_RTT_FACTOR * this.#minRtt + HOST_DELAY_MS &&
      this.#minRtt !== Number.POSITIVE_INFINITY;
    const packets = (this.#roundAcked + this.#roundLost) / this.#maxDatagramBytes;
    const lost = this.#roundLost / this.#maxDatagramBytes;
    if (this.#chance.onRound(packets, lost, queued)) this.#onCongestion();
    else this.#raiseBound();
    if (!sample.appLimited) {
      this.#checkFull();
      this.#rate.nextRound();
    }
    this.#roundAcked = 0;
    this.#roundLost = 0;
    this.#roundMinRtt = Number.POSITIVE_INFINITY;
    this.#roundMaxInFlight = sample.bytesInFlight;
  }

  #onCongestion(): void {
    const bound = Math.min(this.#inflightHigh, this.#roundMaxInFlight) * CONGESTION_BETA;
    this.#inflightHigh = Math.max(bound, MINIMUM_WINDOW_PACKETS * this.#maxDatagramBytes);
    this.#raisePackets = 1;
    if (this.#mode === 'startup') this.#isFull = true;
    if (this.#phase === 0) this.#phaseAt = Number.NEGATIVE_INFINITY;
  }

  #raiseBound(): void {
    if (this.#roundMaxInFlight < CONGESTION_BETA * this.#inflightHigh) return;
    this.#inflightHigh += this.#raisePackets * this.#maxDatagramBytes;
    this.#raisePackets *= 2;
  }

  /** Startup ends when the rate has stopped growing. */
  #checkFull(): void {
    if (this.#isFull) return;
    if (this.#rate.value >= this.#fullRate * FULL_GROWTH) {
      this.#fullRate = this.#rate.value;
      this.#fullRounds = 0;
      return;
    }
    this.#fullRounds += 1;
    this.#isFull = this.#fullRounds >= FULL_ROUNDS;
  }

  #updateMinRtt(sample: RateSample, now: Millis): void {
    const { latestRtt } = sample;
    const expired = now > this.#minRttAt + MIN_RTT_WINDOW_MS;
    if (latestRtt <= this.#minRtt) {
      this.#minRtt = latestRtt;
      this.#minRttAt = now;
    } else if (expired && this.#mode !== 'probeRtt') {
      this.#mode = 'probeRtt';
      this.#gain = 1;
      this.#probeRttUntil = undefined;
      this.#minRtt = latestRtt;
    }
  }

  #updateMode(sample: RateSample, now: Millis): void {
    switch (this.#mode) {
      case 'startup':
        if (!this.#isFull) break;
        this.#mode = 'drain';
        this.#gain = 1 / STARTUP_GAIN;
        break;
      case 'drain':
        if (sample.bytesInFlight <= this.#fillBytes(1)) this.#cruise(now);
        break;
      case 'probeRate':
        this.#advancePhase(sample.bytesInFlight, now);
        break;
      case 'probeRtt':
        this.#probeRtt(sample.bytesInFlight, now);
        break;
      default:
        this.#mode satisfies never;
    }
  }

  #cruise(now: Millis): void {
    this.#mode = this.#isFull ? 'probeRate' : 'startup';
    this.#phase = CRUISE_PHASE;
    this.#phaseAt = now;
    this.#gain = this.#isFull ? 1 : STARTUP_GAIN;
  }

  #advancePhase(bytesInFlight: number, now: Millis): void {
    const drained = this.#phase === 1 && bytesInFlight <= this.#fillBytes(1);
    if (!drained && now - this.#phaseAt <= this.#minRtt + HOST_DELAY_MS) return;
    this.#phase = (this.#phase + 1) % CYCLE_GAINS.length;
    this.#phaseAt = now;
    this.#gain = CYCLE_GAINS[this.#phase] ?? 1;
  }

  /** Lets the queue run empty for long enough to see the path's own round trip. */
  #probeRtt(bytesInFlight: number, now: Millis): void {
    if (this.#probeRttUntil === undefined) {
      if (bytesInFlight > this.#fillBytes(PROBE_RTT_GAIN) + this.#minimumBytes) return;
      this.#probeRttUntil = now + PROBE_RTT_MS;
    } else if (now >= this.#probeRttUntil) {
      this.#minRttAt = now;
      this.#cruise(now);
    }
  }

  get #minimumBytes(): number {
    return MINIMUM_WINDOW_PACKETS * this.#maxDatagramBytes;
  }

  /** The rate to send at so that the path's own rate arrives, in bytes per millisecond. */
  get #sendRate(): number {
    return this.#rate.value / (1 - this.#chance.rate);
  }

  /** What the path holds at its rate without a queue, times `gain`. */
  #fillBytes(gain: number): number {
    return gain * this.#sendRate * this.#minRtt;
  }

  #updateWindow(sample: RateSample): void {
    if (this.#rate.value === 0) return;
    const gain = this.#isFull ? WINDOW_GAIN : STARTUP_GAIN;
    const host = gain * this.#sendRate * HOST_DELAY_MS;
    const target = Math.min(this.#fillBytes(gain) + host, this.#inflightHigh) + this.#minimumBytes;
    const grown = this.windowBytes + sample.ackedBytes;
    if (this.#isFull) this.windowBytes = Math.min(grown, target);
    else if (this.windowBytes < target) this.windowBytes = grown;
    if (this.#mode === 'probeRtt') {
      const least = this.#fillBytes(PROBE_RTT_GAIN) + this.#minimumBytes;
      this.windowBytes = Math.min(this.windowBytes, least);
    }
    this.windowBytes = Math.max(this.windowBytes, this.#minimumBytes);
  }

  pacingRate(smoothedRtt: Millis): number {
    if (this.#rate.value === 0) {
      return (STARTUP_GAIN * this.windowBytes) / Math.max(smoothedRtt, SHORTEST_RTT_MS);
    }
    const rate = this.#gain * this.#sendRate * PACING_MARGIN;
    if (this.#isFull) return rate;
    // A first sample may have been of almost nothing: startup is no slower than its window allows.
    return Math.max(rate, this.windowBytes / Math.max(smoothedRtt, SHORTEST_RTT_MS));
  }

  setMaxDatagramBytes(bytes: number): void {
    this.#maxDatagramBytes = bytes;
    this.windowBytes = Math.max(this.windowBytes, this.#minimumBytes);
  }
}

export const createBbr = (maxDatagramBytes: number): CongestionController =>
  new Bbr(maxDatagramBytes);
