/**
 * Who sends next. Messages that stand in line take turns, a piece each; lost pieces go before new
 * ones, and whatever is more urgent before whatever is less. So that nobody starves, one packet in
 * seventeen begins with a less urgent level, if one had to stand back in all of them.
 */

import { chargeOf, type SendCredit } from './flow_control.ts';
import { Fifo } from './fifo.ts';
import { MAX_OVERTAKING_PACKETS } from './limits.ts';
import { MessageQueue } from './message_queue.ts';
import type { OutgoingMessage } from './outgoing_message.ts';
import { PRIORITIES, type Level } from './priorities.ts';

/** A piece whose packet was lost. */
export interface LostPiece {
  readonly message: OutgoingMessage;
  offset: number;
  length: number;
  /** It has been sent again, or need not be. */
  settled: boolean;
}

/** What is to be sent of one priority. */
export class SendLevel {
  readonly lost = new Fifo<LostPiece>();
  /** To begin, or to go on. */
  readonly line = new MessageQueue();
  /** Not begun for lack of credit, first come first served. */
  readonly waiting = new MessageQueue();

  hasWork(): boolean {
    return this.lost.length > 0 || this.line.first !== undefined;
  }
}

export class SendTurns {
  readonly #credit: SendCredit;
  readonly #levels: readonly SendLevel[] = PRIORITIES.map(() => new SendLevel());
  /** For each level, all levels in the order in which a packet offers itself that begins with it. */
  readonly #orders: readonly (readonly SendLevel[])[];
  /** The level that the next favour goes to. */
  #favoured: Level = 1;
  /** Packets in a row in which a less urgent level had to stand back. */
  #overtakingPackets = 0;
  #nextId = 1;

  constructor(credit: SendCredit) {
    this.#credit = credit;
    this.#orders = this.#levels.map((first) => [
      first,
      ...this.#levels.filter((level) => level !== first),
    ]);
  }

  /** True if there may be something to send. */
  get hasWork(): boolean {
    for (const level of this.#levels) if (level.hasWork()) return true;
    return false;
  }

  /** To the end of the line. */
  push(message: OutgoingMessage): void {
    this.#levels[message.level]?.line.push(message);
  }

  /** To the head of the line: `message` found no room in this packet. */
  putBack(message: OutgoingMessage): void {
    this.#levels[message.level]?.line.unshift(message);
  }

  pushLost(message: OutgoingMessage, offset: number, length: number): void {
    this.#levels[message.level]?.lost.push({ message, offset, length, settled: false });
  }

  /** Makes a message more urgent that stands in line or waits for credit. */
  raise(message: OutgoingMessage, level: Level): void {
    this.leave(message);
    message.level = level;
    this.push(message);
  }

  /** Takes `message` out of the queue in which it stands. */
  leave(message: OutgoingMessage): void {
    const { queue } = message;
    queue?.remove(message);
    // Those behind it may have waited for nothing but it.
    if (queue === this.#levels[message.level]?.waiting) this.onCredit();
  }

  /** The levels in the order in which the next packet offers itself to them. */
  get order(): readonly SendLevel[] {
    const favour = this.#overtakingPackets >= MAX_OVERTAKING_PACKETS;
    return this.#orders[favour ? this.#favoured : 0] ?? this.#levels;
  }

  /** A packet was offered to the levels in `order`, up to `last`, with which it was full. */
  onPacket(order: readonly SendLevel[], last: SendLevel): void {
    if (order !== this.#orders[0]) {
      this.#overtakingPackets = 0;
      this.#favoured = 1 + (this.#favoured % (this.#levels.length - 1));
      return;
    }
    let stoodBack = false;
    for (let level = order.indexOf(last) + 1; level < order.length; level += 1) {
      if (order[level]?.hasWork() === true) stoodBack = true;
    }
    this.#overtakingPackets = stoodBack ? this.#overtakingPackets + 1 : 0;
  }

  /** Takes out of the line of `level` whoever's turn it is; begins the message if need be. */
  next(level: SendLevel): OutgoingMessage | undefined {
    for (let message = level.line.shift(); message; message = level.line.shift()) {
      if (message.id !== 0) return message;
      const charge = chargeOf(message.totalBytes);
      if (charge <= this.#credit.available && !this.#isHeldUp(level)) {
        this.#begin(message, charge);
        return message;
      }
      level.waiting.push(message);
    }
    return undefined;
  }

  /**
   * Nobody of the same or a higher level overtakes a message that waits for credit, or a large one
   * would wait for ever; what is more urgent does, and takes the little credit that it needs.
   */
  #isHeldUp(level: SendLevel): boolean {
    for (const other of this.#levels) {
      if (other.waiting.first !== undefined) return true;
      if (other === level) return false;
    }
    return false;
  }

  #begin(message: OutgoingMessage, charge: number): void {
    const { channel } = message;
    message.id = this.#nextId;
    this.#nextId += 1;
    this.#credit.charge(charge);
    if (channel === undefined) return;
    message.predecessor = channel.begun.length > 0 ? channel.lastId : 0;
    channel.lastId = message.id;
    channel.begun.push(message);
    channel.outstandingBytes += charge;
  }

  /** There is more credit, or less to wait for it. */
  onCredit(): void {
    for (const { waiting, line } of this.#levels) {
      for (let message = waiting.shift(); message; message = waiting.shift()) line.push(message);
    }
  }
}
