/** The packets in flight, in the order of their numbers, and the pool their records come from. */

import { Fifo } from './fifo.ts';
import type { Millis } from './millis.ts';
import type { OutgoingMessage } from './outgoing_message.ts';

/** What must be known of a packet that asks for an acknowledgement until it has one or is lost. */
export interface SentPacket {
  packetNumber: number;
  timeSent: Millis;
  /** Of all its datagrams with their headers. */
  sizeBytes: number;
  /** How many datagrams it travels in (split_packets.ts). */
  datagrams: number;
  /** A padded ping that tries a larger datagram; its loss says nothing about congestion. */
  mtuProbe: boolean;
  /** Once it is lost: a round trip without it has passed; false if too many later ones arrived. */
  lostByTime: boolean;
  /** It carries the newest MAX_DATA. */
  maxData: boolean;
  /** The largest packet number it acknowledges, −1 if none. */
  largestAcknowledged: number;
  /** The window, not a lack of data, limited the sender when it was sent. */
  windowLimited: boolean;
  /** What the sampler of the delivery rate noted when it was sent (delivery_rate.ts). */
  delivered: number;
  deliveredAt: Millis;
  firstSentAt: Millis;
  appLimited: boolean;
  /**
   * The pieces of messages it carries: the first `carried` rows of three columns, which keep their
   * length when a record is used again.
   */
  carried: number;
  readonly messages: (OutgoingMessage | undefined)[];
  readonly offsets: number[];
  readonly lengths: number[];
}

const POOL_SIZE = 4096;

export class SentPackets {
  /** Slots from `#base` on; undefined for packets that are settled or never needed an answer. */
  readonly #slots = new Fifo<SentPacket | undefined>();
  readonly #pool: SentPacket[] = [];
  #base = 0;
  #outstanding = 0;

  /** The number of the next packet. Numbers are never used twice and leave no gap. */
  get nextPacketNumber(): number {
    return this.#base + this.#slots.length;
  }

  /** The lowest number whose packet may still be in flight. */
  get base(): number {
    return this.#base;
  }

  /** How many packets are in flight. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** A blank record, for the packet that is being built. */
  blank(): SentPacket {
    const packet = this.#pool.pop() ?? {
      packetNumber: 0,
      timeSent: 0,
      sizeBytes: 0,
      datagrams: 1,
      mtuProbe: false,
      lostByTime: false,
      maxData: false,
      largestAcknowledged: -1,
      windowLimited: false,
      delivered: 0,
      deliveredAt: 0,
      firstSentAt: 0,
      appLimited: false,
      carried: 0,
      messages: [],
      offsets: [],
      lengths: [],
    };
    packet.datagrams = 1;
    packet.mtuProbe = false;
    packet.maxData = false;
    packet.windowLimited = false;
    packet.largestAcknowledged = -1;
    return packet;
  }

  /** Gives a record back; nobody may hold on to it. */
  release(packet: SentPacket): void {
    packet.messages.fill(undefined, 0, packet.carried);
    packet.carried = 0;
    if (this.#pool.length < POOL_SIZE) this.#pool.push(packet);
  }

  /** The packet with `nextPacketNumber` was sent; without a record, it needs no answer. */
  push(packet: SentPacket | undefined): void {
    if (packet === undefined && this.#slots.length === 0) {
      this.#base += 1;
      return;
    }
    this.#slots.push(packet);
    if (packet !== undefined) this.#outstanding += 1;
  }

  get(packetNumber: number): SentPacket | undefined {
    return this.#slots.at(packetNumber - this.#base);
  }

  /** Takes a packet out; its record still belongs to the caller, who releases it. */
  remove(packet: SentPacket): void {
    this.#slots.set(packet.packetNumber - this.#base, undefined);
    this.#outstanding -= 1;
    while (this.#slots.length > 0 && this.#slots.peek() === undefined) {
      this.#slots.shift();
      this.#base += 1;
    }
  }

  /** The oldest packet in flight whose number is above `packetNumber`. */
  firstAfter(packetNumber: number): SentPacket | undefined {
    for (let at = Math.max(0, packetNumber + 1 - this.#base); at < this.#slots.length; at += 1) {
      const packet = this.#slots.at(at);
      if (packet !== undefined) return packet;
    }
    return undefined;
  }
}
