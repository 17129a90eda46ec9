/** Which packets have come in, and when to tell the sender (RFC 9000 §13.2). */

import { writeAck } from './frame_codec.ts';
import { MAX_ACK_RANGES, REPLAY_WINDOW } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';
import { RangeSet } from './range_set.ts';

/** Every second packet that asks for it is acknowledged at once. */
const ELICITING_THRESHOLD = 2;
/** On a long path, whose window is many packets, it is every eighth. */
const LONG_PATH_THRESHOLD = 8;
/** So many packets are taken for the beginning of a flow, whose sender waits for each answer. */
const BEGINNING_PACKETS = 100;

export class AckRanges {
  readonly received = new RangeSet();
  /** −1 until the first packet. */
  largestReceived = -1;
  /** The round trip is much longer than the turns of a process. */
  isLongPath = false;
  readonly #maxAckDelayMs: Millis;
  readonly #maxRanges: number;
  #largestReceivedAt: Millis = 0;
  /** Packets below are taken for duplicates: their ranges were forgotten. */
  #floor = 0;
  #elicitingSinceAck = 0;
  #deadline: Millis = NEVER;

  constructor(maxAckDelayMs: Millis, maxRanges = MAX_ACK_RANGES) {
    this.#maxRanges = maxRanges;
    this.#maxAckDelayMs = maxAckDelayMs;
  }

  /** True of what has come already, and of what is too old to tell. */
  isDuplicate(packetNumber: number): boolean {
    if (packetNumber < this.#floor || packetNumber <= this.largestReceived - REPLAY_WINDOW) {
      return true;
    }
    return this.received.has(packetNumber);
  }

  /** Notes a packet that is no duplicate. */
  record(packetNumber: number, ackEliciting: boolean, now: Millis): void {
    const inOrder = packetNumber === this.largestReceived + 1;
    this.received.add(packetNumber, packetNumber + 1);
    if (this.received.count > this.#maxRanges) {
      this.#floor = this.received.removeLowest() ?? this.#floor;
    }
    if (packetNumber > this.largestReceived) {
      this.largestReceived = packetNumber;
      this.#largestReceivedAt = now;
    }
    if (!ackEliciting) return;
    this.#elicitingSinceAck += 1;
    // A gap, or the filling of one, is news that the sender should not wait for.
    const immediate = !inOrder || this.#elicitingSinceAck >= this.#threshold;
    this.#deadline = Math.min(this.#deadline, immediate ? now : now + this.#maxAckDelayMs);
  }

  get #threshold(): number {
    return this.isLongPath && this.largestReceived >= BEGINNING_PACKETS
      ? LONG_PATH_THRESHOLD
      : ELICITING_THRESHOLD;
  }

  /** True if there is something to acknowledge, even if it could wait. */
  get pending(): boolean {
    return this.#elicitingSinceAck > 0;
  }

  /** When an acknowledgement must go, with data or alone. */
  get deadline(): Millis {
    return this.#deadline;
  }

  /** Writes an ACK frame if there is room; answers the offset after it. */
  write(buffer: Uint8Array, at: number, limit: number, now: Millis): number {
    const end = writeAck(buffer, at, limit, this.received, now - this.#largestReceivedAt);
    if (end > at) {
      this.#elicitingSinceAck = 0;
      this.#deadline = NEVER;
    }
    return end;
  }

  /** The sender knows that packets up to `packetNumber` are acknowledged: forget them (§13.2.4). */
  forgetUpTo(packetNumber: number): void {
    if (packetNumber < this.#floor) return;
    this.#floor = packetNumber + 1;
    this.received.removeBelow(packetNumber + 1);
  }
}
