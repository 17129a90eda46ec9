/**
 * What we have to send: messages queued on channels, pieces that were lost. A channel exists only
 * while it has unacknowledged messages, so an idle one costs nothing; an unordered message needs
 * none.
 *
 * Order within a channel needs no counter of the channel: a message names its predecessor, the
 * newest message of its channel that was not wholly acknowledged when it began. If there is none,
 * all before it have been delivered.
 */

import { RudpError } from './errors.ts';
import { Fifo } from './fifo.ts';
import { chargeOf, type SendCredit } from './flow_control.ts';
import { MESSAGE_OVERHEAD_BYTES, URGENT_RESERVE_FRACTION } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';
import { MessageFates } from './message_fates.ts';
import { ABANDONED, writeAbandoned, writeLostPiece, writePiece } from './message_writer.ts';
import { newChannel, type OutgoingChannel, type OutgoingMessage } from './outgoing_message.ts';
import { levelOf, NORMAL, URGENT, type Level } from './priorities.ts';
import { checkDeadline, type Outcome, type SendOptions } from './send_options.ts';
import { SendTurns, type SendLevel } from './send_turns.ts';
import type { SentPacket } from './sent_packets.ts';

export interface ChannelLimits {
  readonly maxChannels: number;
  readonly maxMessageBytes: number;
  readonly sendBufferBytes: number;
  readonly channelWindowBytes: number;
}

/** Records of channels that are kept for the next channel that becomes active. */
const SPARE_CHANNELS = 256;
const NO_BYTES = new Uint8Array(0);
const DEFAULTS: SendOptions = {};

export class Channels {
  readonly #limits: ChannelLimits;
  readonly #turns: SendTurns;
  readonly #channels = new Map<number, OutgoingChannel>();
  readonly #spare: OutgoingChannel[] = [];
  readonly #fates: MessageFates;
  /** Given up, and the peer is to be told. */
  readonly #abandoned = new Fifo<OutgoingMessage>();
  /** What is not acknowledged, and the overhead of what the peer does not know to be abandoned. */
  bufferedBytes = 0;
  /** `send` refused; a drain is owed. */
  refused = false;
  retransmittedBytes = 0;
  /** Pieces that were sent again because they were lost. */
  retransmits = 0;
  /** Messages given up, by their deadline or by the user. */
  messagesDropped = 0;

  /** @param onSettled learns the fate of each tracked message. */
  constructor(
    limits: ChannelLimits,
    credit: SendCredit,
    onSettled: (ticket: number, outcome: Outcome) => void,
  ) {
    this.#limits = limits;
    this.#turns = new SendTurns(credit);
    this.#fates = new MessageFates(onSettled);
  }

  /** Channels with unacknowledged messages. */
  get activeChannels(): number {
    return this.#channels.size;
  }

  /** Tickets and deadlines of messages under way. */
  get openFates(): number {
    return this.#fates.open;
  }

  /** When `expire` is due. */
  get nextDeadline(): Millis {
    return this.#fates.nextDeadline;
  }

  /**
   * Queues a message, whose bytes the caller must not change any more; answers its ticket, 0 if it
   * is not tracked.
   * @throws RudpError 'too-large', 'buffer-full' or 'invalid'.
   */
  send(
    number: number,
    bytes: Uint8Array,
    options: SendOptions = DEFAULTS,
    now: Millis = 0,
  ): number {
    const { deadlineMs = NEVER } = options;
    if (deadlineMs !== NEVER) checkDeadline(deadlineMs);
    const level = options.priority === undefined ? NORMAL : levelOf(options.priority);
    this.#admit(bytes.length, level);
    const ordered = options.ordered ?? true;
    const channel = ordered ? this.#channel(number) : undefined;
    const message: OutgoingMessage = {
      id: 0,
      channelNumber: number,
      ordered,
      channel,
      bytes,
      totalBytes: bytes.length,
      predecessor: 0,
      nextOffset: 0,
      acked: undefined,
      done: false,
      settled: false,
      ticket: 0,
      deadline: undefined,
      level,
      queue: undefined,
      before: undefined,
      behind: undefined,
    };
    this.bufferedBytes += chargeOf(bytes.length);
    if (deadlineMs !== NEVER) this.#fates.limit(message, now + deadlineMs);
    if (channel === undefined) {
      this.#turns.push(message);
    } else {
      channel.queued.push(message);
      this.#raise(channel, message);
      if (channel.turn === undefined) this.#standInLine(channel);
    }
    return options.tracked === true ? this.#fates.track(message) : 0;
  }

  /** Gives up a tracked message; false if its fate is known already. */
  cancel(ticket: number): boolean {
    const message = this.#fates.find(ticket);
    if (message === undefined) return false;
    this.#giveUp(message, 'cancelled');
    return true;
  }

  /** Gives up the messages whose deadline has come. */
  expire(now: Millis): void {
    for (let due = this.#fates.takeDue(now); due; due = this.#fates.takeDue(now)) {
      this.#giveUp(due, 'deadline');
    }
  }

  /** Of a message that has not begun, nobody needs to know; of another one the peer must be told. */
  #giveUp(message: OutgoingMessage, outcome: Outcome): void {
    const { channel } = message;
    this.messagesDropped += 1;
    this.bufferedBytes -= message.totalBytes;
    this.#end(message, outcome);
    this.#turns.leave(message);
    if (channel?.turn === message) channel.turn = undefined;
    if (message.id === 0) {
      this.#settle(message);
      return;
    }
    this.#abandoned.push(message);
    if (channel !== undefined && channel.turn === undefined) this.#standInLine(channel);
  }

  /** Nothing of `message` is to be sent any more. */
  #end(message: OutgoingMessage, outcome: Outcome): void {
    message.done = true;
    message.bytes = NO_BYTES;
    message.acked = undefined;
    this.#fates.end(message, outcome);
  }

  /** Refuses what is too long or finds no room. Urgent messages have some room for themselves. */
  #admit(length: number, level: Level): void {
    const { maxMessageBytes, sendBufferBytes } = this.#limits;
    if (length > maxMessageBytes) {
      const problem = `a message of ${length} bytes; the peer takes ${maxMessageBytes}`;
      throw new RudpError('too-large', problem);
    }
    const reserve = level === URGENT ? sendBufferBytes * URGENT_RESERVE_FRACTION : 0;
    const room = sendBufferBytes + reserve;
    if (this.bufferedBytes + chargeOf(length) > room && this.bufferedBytes > 0) {
      this.refused = true;
      const problem = `${this.bufferedBytes} of ${sendBufferBytes} bytes wait to be acknowledged`;
      throw new RudpError('buffer-full', problem);
    }
  }

  #channel(number: number): OutgoingChannel {
    const known = this.#channels.get(number);
    if (known !== undefined) return known;
    const { maxChannels } = this.#limits;
    if (this.#channels.size >= maxChannels) {
      this.refused = true;
      throw new RudpError('buffer-full', `all ${maxChannels} channels have messages under way`);
    }
    const channel = this.#spare.pop() ?? newChannel();
    channel.number = number;
    this.#channels.set(number, channel);
    return channel;
  }

  /** What is before `message` on its channel becomes as urgent as it: it has to go first. */
  #raise(channel: OutgoingChannel, { level, before }: OutgoingMessage): void {
    for (let ahead = before; ahead; ahead = ahead.before) {
      if (ahead.level <= level) return;
      ahead.level = level;
    }
    const { turn, begun } = channel;
    if (turn !== undefined && turn.level > level) this.#turns.raise(turn, level);
    for (let index = begun.length - 1; index >= 0; index -= 1) {
      const ahead = begun.at(index);
      if (ahead === undefined || ahead === turn) continue;
      if (ahead.level <= level) return;
      ahead.level = level;
    }
  }

  /** True if `write` may have something to write. */
  get hasData(): boolean {
    return this.#abandoned.length > 0 || this.#turns.hasWork;
  }

  /** The peer has raised the connection's credit. */
  onCredit(): void {
    this.#turns.onCredit();
  }

  /** Writes as many pieces as fit, and notes them in `packet`. */
  write(buffer: Uint8Array, start: number, limit: number, packet: SentPacket): number {
    const { order } = this.#turns;
    let at = start;
    for (let message = this.#abandoned.peek(); message; message = this.#abandoned.peek()) {
      const before = at;
      if (!message.settled) at = writeAbandoned(buffer, at, limit, message, packet);
      if (!message.settled && at === before) return at;
      this.#abandoned.shift();
    }
    for (const level of order) {
      if (!level.hasWork()) continue;
      at = this.#writeLost(buffer, at, limit, level, packet, at === start);
      if (level.lost.length === 0) at = this.#writeNew(buffer, at, limit, level, packet, start);
      if (!level.hasWork()) continue;
      this.#turns.onPacket(order, level);
      break;
    }
    return at;
  }

  #writeLost(
    buffer: Uint8Array,
    start: number,
    limit: number,
    { lost }: SendLevel,
    packet: SentPacket,
    first: boolean,
  ): number {
    let at = start;
    for (let piece = lost.peek(); piece; piece = lost.peek()) {
      const { length } = piece;
      const before = at;
      at = writeLostPiece(buffer, at, limit, piece, packet, first && at === start);
      if (at > before) this.retransmits += 1;
      this.retransmittedBytes += length - piece.length;
      if (!piece.settled) return at;
      lost.shift();
    }
    return at;
  }

  /** @param start where the packet's pieces begin, so that the first of them may be cut short. */
  #writeNew(
    buffer: Uint8Array,
    from: number,
    limit: number,
    level: SendLevel,
    packet: SentPacket,
    start: number,
  ): number {
    let at = from;
    for (let message = this.#turns.next(level); message; message = this.#turns.next(level)) {
      const offset = message.nextOffset;
      const wanted = message.totalBytes - offset;
      const first = at === start;
      const end = writePiece(buffer, at, limit, message, offset, wanted, packet, first);
      if (end === at) {
        this.#turns.putBack(message);
        return at;
      }
      this.#endTurn(message);
      at = end;
    }
    return at;
  }

  /** After a piece of `message` was written: to the end of the line, or whoever comes behind it. */
  #endTurn(message: OutgoingMessage): void {
    if (message.nextOffset < message.totalBytes) {
      this.#turns.push(message);
    } else if (message.channel !== undefined) {
      message.channel.turn = undefined;
      this.#standInLine(message.channel);
    }
  }

  /** Nobody of `channel` is in line: now the next one is, if there is one and the window allows it. */
  #standInLine(channel: OutgoingChannel): boolean {
    const message = channel.queued.first;
    if (message === undefined || !this.#windowAllows(channel, message)) return false;
    channel.queued.remove(message);
    channel.turn = message;
    this.#turns.push(message);
    return true;
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
    for (let index = 0; index < packet.carried; index += 1) {
      const message = packet.messages[index];
      if (message === undefined || message.settled) continue;
      const offset = packet.offsets[index] ?? 0;
      const length = packet.lengths[index] ?? 0;
      if (length < message.totalBytes && length !== ABANDONED) {
        message.acked?.add(offset, offset + length);
        if (!message.acked?.covers(0, message.totalBytes)) continue;
      }
      if (!message.done) {
        this.bufferedBytes -= message.totalBytes;
        this.#end(message, 'acknowledged');
      }
      this.#settle(message);
    }
  }

  #settle(message: OutgoingMessage): void {
    message.settled = true;
    this.bufferedBytes -= MESSAGE_OVERHEAD_BYTES;
    if (message.channel !== undefined) this.#advance(message.channel);
  }

  /** After a message of `channel` was settled: those at its head leave, others may begin. */
  #advance(channel: OutgoingChannel): void {
    while (channel.begun.peek()?.settled === true) {
      channel.outstandingBytes -= chargeOf(channel.begun.shift()?.totalBytes ?? 0);
    }
    const inLine = channel.turn !== undefined || this.#standInLine(channel);
    if (inLine || channel.begun.length > 0) return;
    // It is empty, out of line, and named only by messages that are settled: ready for its next use.
    this.#channels.delete(channel.number);
    if (this.#spare.length < SPARE_CHANNELS) this.#spare.push(channel);
  }

  /** The pieces of `packet` must go again, in a new packet. */
  onLost(packet: SentPacket): void {
    for (let index = 0; index < packet.carried; index += 1) {
      const message = packet.messages[index];
      if (message === undefined || message.settled) continue;
      const length = packet.lengths[index] ?? 0;
      if (length === ABANDONED) this.#abandoned.push(message);
      else if (!message.done) this.#turns.pushLost(message, packet.offsets[index] ?? 0, length);
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
