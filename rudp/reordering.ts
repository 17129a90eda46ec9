/**
 * How much reordering the path is granted before a packet counts as lost. It begins with the
 * thresholds of RFC 9002 §6.1; each packet that was declared lost and arrives after all widens them
 * (as RFC 8985 §6.2 widens RACK's window), and 16 losses in a row that were real bring them back.
 */

import { Fifo } from './fifo.ts';
import { MAX_LOST_REMEMBERED, MAX_PACKET_THRESHOLD } from './limits.ts';

/** kPacketThreshold: a packet is lost once one sent so many later has arrived. */
const PACKET_THRESHOLD = 3;
/** kTimeThreshold, in round trips. */
const TIME_THRESHOLD = 9 / 8;
const TIME_STEP = 1 / 8;
const MAX_TIME_THRESHOLD = 2;
/** Added to a number that was found: it is no packet's any more, and the order stays. */
const FOUND = 0.5;
/** The threshold is so many times the distance that was seen: a faster flow is reordered further. */
const MARGIN = 2;
/** Real losses after which the widened thresholds are given up. */
const REAL_LOSSES = 16;

export class Reordering {
  packetThreshold = PACKET_THRESHOLD;
  timeFactor = TIME_THRESHOLD;
  /** Packets that were declared lost and arrived after all. */
  spuriousLosses = 0;
  /** Numbers of packets declared lost, ascending. */
  readonly #lost = new Fifo<number>();
  #lossesSinceSpurious = 0;
  /** The congestion event: losses among the packets that were sent before its first was noticed. */
  #eventStart = 0;
  #eventEnd = 0;
  #eventLosses = 0;
  #undo = false;

  /** True while the path is known to reorder. */
  get isSeen(): boolean {
    return this.packetThreshold > PACKET_THRESHOLD || this.timeFactor > TIME_THRESHOLD;
  }

  /** Packets are declared lost in the order of their numbers. */
  onLost(packetNumber: number, nextPacketNumber: number): void {
    this.#lost.push(packetNumber);
    if (this.#lost.length > MAX_LOST_REMEMBERED) this.#lost.shift();
    if (packetNumber >= this.#eventEnd) {
      this.#eventStart = packetNumber;
      this.#eventEnd = nextPacketNumber;
      this.#eventLosses = 0;
    }
    this.#eventLosses += 1;
    this.#lossesSinceSpurious += 1;
    if (this.#lossesSinceSpurious < REAL_LOSSES) return;
    this.packetThreshold = PACKET_THRESHOLD;
    this.timeFactor = TIME_THRESHOLD;
  }

  /** Packets [start, end) are acknowledged: finds those among them that were declared lost. */
  onAcked(start: number, end: number, largestAcked: number): void {
    if (this.#lost.length === 0) return;
    for (let index = this.#firstAtOrAfter(start); index < this.#lost.length; index += 1) {
      const number = this.#lost.at(index) ?? end;
      if (number >= end) break;
      if (!Number.isInteger(number)) continue;
      this.#onSpurious(number, largestAcked);
      this.#lost.set(index, number + FOUND);
    }
  }

  /** The place of the first remembered number that is not below `number`. */
  #firstAtOrAfter(number: number): number {
    let low = 0;
    let high = this.#lost.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lost.at(middle) ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #onSpurious(number: number, largestAcked: number): void {
    this.spuriousLosses += 1;
    this.#lossesSinceSpurious = 0;
    const wider = Math.max(this.packetThreshold, MARGIN * (largestAcked - number));
    this.packetThreshold = Math.min(wider, MAX_PACKET_THRESHOLD);
    this.timeFactor = Math.min(this.timeFactor + TIME_STEP, MAX_TIME_THRESHOLD);
    if (number < this.#eventStart) return;
    this.#eventLosses -= 1;
    if (this.#eventLosses === 0) this.#undo = true;
  }

  /** True once after all losses of a congestion event have turned out to be none. */
  takeUndo(): boolean {
    const undo = this.#undo;
    this.#undo = false;
    return undo;
  }
}
