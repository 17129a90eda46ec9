/**
 * Copies of small messages on links that lose: a request whose packet is lost need not wait for a
 * timeout if a second packet carries it too. How many copies follows from the measured loss; what
 * they may cost is a share of what the path carries; while a queue stands on the path there are
 * none, so that a link that loses because it is full is not filled further.
 */

import { Fifo } from './fifo.ts';
import {
  MAX_COPIES,
  MAX_COPIES_WAITING,
  MAX_COPIED_MESSAGE_BYTES,
  MIN_DATAGRAM_BYTES,
} from './limits.ts';
import type { LossMeasure } from './loss_measure.ts';
import type { Millis } from './millis.ts';
import { writeCopy } from './message_writer.ts';
import type { OutgoingMessage } from './outgoing_message.ts';
import type { RttEstimator } from './rtt.ts';
import type { SentPacket } from './sent_packets.ts';

/** A link that loses less than this is clean. */
const CLEAN_LOSS = 0.002;
/** All copies of a packet may be lost this often. */
const TOLERATED_FAILURE = 0.01;
/** A path is taken to carry this much, in bytes per millisecond, until more was seen. */
const ASSUMED_RATE = 5_000;
/** What is not spent of the budget is kept for so long. */
const BURST_MS: Millis = 50;
/** Copies of this many full packets may always go in one burst, when none have gone for a while. */
const BURST_PACKETS = 3;
/** A round trip this much longer than the shortest means a queue. */
const QUEUED_RTT_FACTOR = 1.5;
const QUEUED_RTT_MS: Millis = 5;

/** A piece that was sent and is to be sent again without having been lost. */
interface Copy {
  readonly message: OutgoingMessage;
  readonly offset: number;
  readonly length: number;
  left: number;
}

export class Redundancy {
  copiedBytes = 0;
  /** Pieces whose packet was lost and that needed no retransmission. */
  copiesUsed = 0;
  readonly #share: number;
  /** How much the path loses. */
  loss: LossMeasure;
  readonly #waiting = new Fifo<Copy>();
  #tokens = Number.POSITIVE_INFINITY;
  #filledAt: Millis = 0;

  /** @param share the part of the path's bandwidth that copies may take; 0 for no copies. */
  constructor(share: number, loss: LossMeasure) {
    this.#share = share;
    this.loss = loss;
  }

  /** Before the pieces of a lost packet are sent again: notes those that have arrived already. */
  onLost(packet: SentPacket): void {
    this.loss.onSettled(true);
    if (this.copiedBytes === 0) return;
    for (let index = 0; index < packet.carried; index += 1) {
      if (packet.messages[index]?.done === true) this.copiesUsed += 1;
    }
  }

  /** How many copies of a small message are to be sent now. */
  copies(rtt: RttEstimator): number {
    if (this.#share === 0 || this.loss.rate < CLEAN_LOSS) return 0;
    if (rtt.smoothedRtt > QUEUED_RTT_FACTOR * rtt.minRtt + QUEUED_RTT_MS) return 0;
    let copies = 1;
    let failure = this.loss.rate ** 2;
    while (failure > TOLERATED_FAILURE && copies < MAX_COPIES) {
      failure *= this.loss.rate;
      copies += 1;
    }
    return copies;
  }

  /** `packet` carries pieces that are sent now; those of small messages are to be copied. */
  note(packet: SentPacket, rtt: RttEstimator): void {
    const left = this.copies(rtt);
    if (left === 0) return;
    for (let index = 0; index < packet.carried; index += 1) {
      const message = packet.messages[index];
      if (message === undefined || message.done) continue;
      if (message.totalBytes > MAX_COPIED_MESSAGE_BYTES) continue;
      if (this.#waiting.length >= MAX_COPIES_WAITING) return;
      const offset = packet.offsets[index] ?? 0;
      this.#waiting.push({ message, offset, length: packet.lengths[index] ?? 0, left });
    }
  }

  /** True if a packet of copies may go; copies that cannot be afforded now are given up. */
  isDue(windowBytes: number, smoothedRtt: Millis, now: Millis): boolean {
    for (let copy = this.#waiting.peek(); copy?.message.done; copy = this.#waiting.peek()) {
      this.#waiting.shift();
    }
    if (this.#waiting.length === 0) return false;
    const rate = this.#share * Math.max(ASSUMED_RATE, windowBytes / smoothedRtt);
    const capacity = Math.max(BURST_MS * rate, BURST_PACKETS * MIN_DATAGRAM_BYTES);
    this.#tokens = Math.min(capacity, this.#tokens + (now - this.#filledAt) * rate);
    this.#filledAt = now;
    if (this.#tokens >= MIN_DATAGRAM_BYTES) return true;
    this.#waiting.clear();
    return false;
  }

  /** Writes one copy each of as many waiting pieces as fit; answers the offset after them. */
  write(buffer: Uint8Array, start: number, limit: number, packet: SentPacket): number {
    let at = start;
    for (let count = this.#waiting.length; count > 0; count -= 1) {
      const copy = this.#waiting.shift();
      if (copy === undefined || copy.message.done) continue;
      const { message, offset, length } = copy;
      const end = writeCopy(buffer, at, limit, message, offset, length, packet);
      if (end === at) {
        // What does not even fit into a packet of its own was cut for larger datagrams: give it up.
        if (at === start) continue;
        this.#waiting.unshift(copy);
        break;
      }
      at = end;
      copy.left -= 1;
      if (copy.left > 0) this.#waiting.push(copy);
    }
    this.copiedBytes += at - start;
    this.#tokens -= at - start;
    return at;
  }
}
