/**
 * What we have to send: messages queued on channels, pieces that were lost, and the rule who goes
 * next. A channel exists only while it has unacknowledged messages, so an idle one costs nothing.
 *
 * Order within a channel needs no counter of the channel: a message names its predecessor, the
 * newest message of its channel that was not wholly acknowledged when it began. If there is none,
 * all before it have been delivered.
 */

import { RudpError } from './errors.ts';
import { Fifo } from './fifo.ts';
import { chargeOf, type SendCredit } from './flow_control.ts';
import { FRAME, messageHeaderBytes, writeMessageHeader } from './frame_codec.ts';
import { RangeSet } from './range_set.ts';
import type { SentPacket } from './sent_packets.ts';
import { varintBytes, writeVarint } from './varint.ts';

export interface OutgoingMessage {
  /** 0 until its first piece is sent. */
  id: number;
  readonly channel: OutgoingChannel;
  /** Empty once it is acknowledged. */
  bytes: Uint8Array;
  readonly totalBytes: number;
  predecessor: number;
  /** Bytes before it have been sent at least once. */
  nextOffset: number;
  /** Bytes acknowledged; only for a message that travels in pieces. */
  acked: RangeSet | undefined;
  done: boolean;
}

export interface OutgoingChannel {
  number: number;
  /** Not begun. */
  readonly queued: Fifo<OutgoingMessage>;
  /** Begun, and neither they nor all before them acknowledged. */
  readonly begun: Fifo<OutgoingMessage>;
  /** The one of which a part is still to be sent for the first time. */
  sending: OutgoingMessage | undefined;
  /** The id of the message begun last. */
  lastId: number;
  /** The charge of the messages in `begun`; the peer's window for a channel bounds it. */
  outstandingBytes: number;
  /** It stands in line to send. */
  inLine: boolean;
}

interface LostPiece {
  readonly message: OutgoingMessage;
  offset: number;
  length: number;
  /** It has been sent again, or need not be. */
  settled: boolean;
}

export interface ChannelLimits {
  readonly maxChannels: number;
  readonly maxMessageBytes: number;
  readonly sendBufferBytes: number;
  readonly channelWindowBytes: number;
}

/** No piece shorter than this is cut to fill the rest of a packet. */
const MIN_PIECE_BYTES = 64;
/** A message shorter than this part of a packet waits for the next one rather than be cut. */
const CUT_FRACTION = 1 / 4;
/** Records of channels that are kept for the next channel that becomes active. */
const SPARE_CHANNELS = 256;
const NO_BYTES = new Uint8Array(0);

export class Channels {
  readonly #limits: ChannelLimits;
  readonly #credit: SendCredit;
  readonly #channels = new Map<number, OutgoingChannel>();
  /** Channels that have something to send, in turn. */
  #line = new Fifo<OutgoingChannel>();
  /** Channels whose next message waits for credit of the connection, first come first served. */
  #waiting = new Fifo<OutgoingChannel>();
  readonly #lost = new Fifo<LostPiece>();
  readonly #spare: OutgoingChannel[] = [];
  #nextId = 1;
  bufferedBytes = 0;
  /** `send` refused; a drain is owed. */
  refused = false;
  retransmittedBytes = 0;

  constructor(limits: ChannelLimits, credit: SendCredit) {
    this.#limits = limits;
    this.#credit = credit;
  }

  /** Channels with unacknowledged messages. */
  get activeChannels(): number {
    return this.#channels.size;
  }

  /**
   * Queues a message, whose bytes the caller must not change any more.
   * @throws RudpError 'too-large' or 'buffer-full'.
   */
  send(number: number, bytes: Uint8Array): void {
    const { maxMessageBytes, sendBufferBytes, maxChannels } = this.#limits;
    if (bytes.length > maxMessageBytes) {
      const problem = `a message of ${bytes.length} bytes; the peer takes ${maxMessageBytes}`;
      throw new RudpError('too-large', problem);
    }
    const charge = chargeOf(bytes.length);
    if (this.bufferedBytes + charge > sendBufferBytes && this.bufferedBytes > 0) {
      this.refused = true;
      const problem = `${this.bufferedBytes} of ${sendBufferBytes} bytes wait to be acknowledged`;
      throw new RudpError('buffer-full', problem);
    }
    let channel = this.#channels.get(number);
    if (channel === undefined) {
      if (this.#channels.size >= maxChannels) {
        this.refused = true;
        throw new RudpError('buffer-full', `all ${maxChannels} channels have messages under way`);
      }
      channel = this.#spare.pop() ?? newChannel();
      channel.number = number;
      this.#channels.set(number, channel);
    }
    channel.queued.push({
      id: 0,
      channel,
      bytes,
      totalBytes: bytes.length,
      predecessor: 0,
      nextOffset: 0,
      acked: undefined,
      done: false,
    });
    this.bufferedBytes += charge;
    this.#standInLine(channel);
  }

  /** True if `write` may have something to write. */
  get hasData(): boolean {
    return this.#lost.length > 0 || this.#line.length > 0;
  }

  /** The peer has raised the connection's credit. */
  onCredit(): void {
    for (let channel = this.#waiting.shift(); channel; channel = this.#waiting.shift()) {
      this.#line.push(channel);
    }
  }

  /** Writes as many pieces as fit, lost ones first, and notes them in `packet`. */
  write(buffer: Uint8Array, start: number, limit: number, packet: SentPacket): number {
    let at = start;
    for (let piece = this.#lost.peek(); piece; piece = this.#lost.peek()) {
      at = this.#writeLost(buffer, at, limit, piece, packet, at === start);
      if (!piece.settled) return at;
      this.#lost.shift();
    }
    for (let message = this.#next(); message; message = this.#next()) {
      const offset = message.nextOffset;
      const wanted = message.totalBytes - offset;
      const end = this.#writePiece(
        buffer,
        at,
        limit,
        message,
        offset,
        wanted,
        packet,
        at === start,
      );
      this.#endTurn(message, end > at);
      if (end === at) return at;
      at = end;
    }
    return at;
  }

  /** Writes as much of `piece` as there is room for, and shortens it by that. */
  #writeLost(
    buffer: Uint8Array,
    at: number,
    limit: number,
    piece: LostPiece,
    packet: SentPacket,
    first: boolean,
  ): number {
    const { message, offset, length } = piece;
    if (message.done || (length > 0 && message.acked?.covers(offset, offset + length))) {
      piece.settled = true;
      return at;
    }
    const count = packet.lengths.length;
    const end = this.#writePiece(buffer, at, limit, message, offset, length, packet, first);
    if (end === at) return at;
    const written = packet.lengths[count] ?? 0;
    this.retransmittedBytes += written;
    piece.offset += written;
    piece.length -= written;
    piece.settled = piece.length === 0;
    return end;
  }

  /** Writes up to `wanted` bytes of `message` as a frame; answers `at` if there is no room. */
  #writePiece(
    buffer: Uint8Array,
    at: number,
    limit: number,
    message: OutgoingMessage,
    offset: number,
    wanted: number,
    packet: SentPacket,
    first: boolean,
  ): number {
    const { id, totalBytes, predecessor } = message;
    const number = message.channel.number;
    const header = messageHeaderBytes(id, number, predecessor, totalBytes);
    const whole = wanted === totalBytes;
    if (whole && at + header + totalBytes <= limit) {
      const payloadAt = writeMessageHeader(buffer, at, FRAME.message, message, number, totalBytes);
      buffer.set(message.bytes, payloadAt);
      note(packet, message, 0, totalBytes);
      return payloadAt + totalBytes;
    }
    const room = limit - at - header - varintBytes(offset) - varintBytes(wanted);
    const length = Math.min(wanted, room);
    if (length < Math.min(wanted, MIN_PIECE_BYTES) || length <= 0) return at;
    if (!first && length < wanted && wanted < limit * CUT_FRACTION) return at;
    let end = writeMessageHeader(buffer, at, FRAME.fragment, message, number, totalBytes);
    end = writeVarint(buffer, writeVarint(buffer, end, offset), length);
    buffer.set(message.bytes.subarray(offset, offset + length), end);
    message.acked ??= new RangeSet();
    note(packet, message, offset, length);
    return end + length;
  }

  /** Writes a piece that is under way once more, whole or not at all. */
  writeCopy(
    buffer: Uint8Array,
    at: number,
    limit: number,
    message: OutgoingMessage,
    offset: number,
    length: number,
    packet: SentPacket,
  ): number {
    const { id, predecessor, totalBytes, channel } = message;
    const piece = length === totalBytes ? 0 : varintBytes(offset) + varintBytes(length);
    const header = messageHeaderBytes(id, channel.number, predecessor, totalBytes) + piece;
    if (at + header + length > limit) return at;
    return this.#writePiece(buffer, at, limit, message, offset, length, packet, true);
  }

  /** Whose turn it is; begins its next message if need be. */
  #next(): OutgoingMessage | undefined {
    for (let channel = this.#line.shift(); channel; channel = this.#line.shift()) {
      if (channel.sending !== undefined) return channel.sending;
      const message = channel.queued.peek();
      if (message === undefined || !this.#windowAllows(channel, message)) {
        channel.inLine = false;
        continue;
      }
      // Nobody overtakes a message that waits for credit, or a large one would wait for ever.
      if (this.#waiting.length > 0 || chargeOf(message.totalBytes) > this.#credit.available) {
        this.#waiting.push(channel);
        continue;
      }
      this.#begin(channel, message);
      return message;
    }
    return undefined;
  }

  #begin(channel: OutgoingChannel, message: OutgoingMessage): void {
    const charge = chargeOf(message.totalBytes);
    channel.queued.shift();
    message.id = this.#nextId;
    this.#nextId += 1;
    message.predecessor = channel.begun.length > 0 ? channel.lastId : 0;
    channel.lastId = message.id;
    channel.begun.push(message);
    channel.outstandingBytes += charge;
    channel.sending = message;
    this.#credit.charge(charge);
  }

  /** After `message` had its turn: to the end of the line, or to its head if there was no room. */
  #endTurn(message: OutgoingMessage, wrote: boolean): void {
    const { channel } = message;
    if (!wrote) {
      this.#line.unshift(channel);
      return;
    }
    if (message.nextOffset === message.totalBytes) channel.sending = undefined;
    channel.inLine = false;
    this.#standInLine(channel);
  }

  #standInLine(channel: OutgoingChannel): void {
    if (channel.inLine) return;
    const message = channel.queued.peek();
    const ready =
      channel.sending !== undefined ||
      (message !== undefined && this.#windowAllows(channel, message));
    if (!ready) return;
    channel.inLine = true;
    this.#line.push(channel);
  }

  /** A channel may have its window outstanding, or one message of any length. */
  #windowAllows(channel: OutgoingChannel, message: OutgoingMessage): boolean {
    return (
      channel.outstandingBytes === 0 ||
      channel.outstandingBytes + chargeOf(message.totalBytes) <= this.#limits.channelWindowBytes
    );
  }

  /** The peer has all pieces that `packet` carried. */
  onAcked(packet: SentPacket): void {
    for (let index = 0; index < packet.messages.length; index += 1) {
      const message = packet.messages[index];
      if (message === undefined || message.done) continue;
      const offset = packet.offsets[index] ?? 0;
      const length = packet.lengths[index] ?? 0;
      if (length < message.totalBytes) {
        message.acked?.add(offset, offset + length);
        if (!message.acked?.covers(0, message.totalBytes)) continue;
      }
      this.#finish(message);
    }
  }

  #finish(message: OutgoingMessage): void {
    const { channel } = message;
    message.done = true;
    message.bytes = NO_BYTES;
    message.acked = undefined;
    this.bufferedBytes -= chargeOf(message.totalBytes);
    while (channel.begun.peek()?.done === true) {
      channel.outstandingBytes -= chargeOf(channel.begun.shift()?.totalBytes ?? 0);
    }
    if (channel.begun.length === 0 && channel.queued.length === 0) {
      // It is empty, out of line, and named only by messages that are done: ready for its next use.
      this.#channels.delete(channel.number);
      if (this.#spare.length < SPARE_CHANNELS) this.#spare.push(channel);
    } else {
      this.#standInLine(channel);
    }
  }

  /** The pieces of `packet` must go again, in a new packet. */
  onLost(packet: SentPacket): void {
    for (let index = 0; index < packet.messages.length; index += 1) {
      const message = packet.messages[index];
      if (message === undefined || message.done) continue;
      const offset = packet.offsets[index] ?? 0;
      const length = packet.lengths[index] ?? 0;
      this.#lost.push({ message, offset, length, settled: false });
    }
  }

  /** True once after a refused `send`, when there is room again. */
  takeDrain(): boolean {
    if (
      !this.refused ||
      this.bufferedBytes > this.#limits.sendBufferBytes / 2 ||
      this.#channels.size >= this.#limits.maxChannels
    ) {
      return false;
    }
    this.refused = false;
    return true;
  }
}

const newChannel = (): OutgoingChannel => ({
  number: 0,
  queued: new Fifo(),
  begun: new Fifo(),
  sending: undefined,
  lastId: 0,
  outstandingBytes: 0,
  inLine: false,
});

const note = (
  packet: SentPacket,
  message: OutgoingMessage,
  offset: number,
  length: number,
): void => {
  packet.messages.push(message);
  packet.offsets.push(offset);
  packet.lengths.push(length);
  message.nextOffset = Math.max(message.nextOffset, offset + length);
};
