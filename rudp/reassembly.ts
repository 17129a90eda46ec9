/**
 * What comes in: pieces are put together, messages delivered once and in the order of their
 * channel. There is no state for a channel as such: order is in the predecessors that messages
 * name, and which messages were delivered is one set of ranges for the whole connection.
 */

import { CLOSE } from './errors.ts';
import { chargeOf, type ReceiveCredit } from './flow_control.ts';
import { MESSAGE_OVERHEAD_BYTES } from './limits.ts';
import type { MessageFrame } from './frame_codec.ts';
import { RangeSet } from './range_set.ts';

/** A message of which pieces are missing, or whose predecessor is. */
interface IncomingMessage {
  readonly id: number;
  readonly channel: number;
  readonly ordered: boolean;
  readonly predecessor: number;
  readonly totalBytes: number;
  bytes: Uint8Array;
  readonly present: RangeSet;
  presentBytes: number;
  complete: boolean;
  /** It will not come: its turn is waited for like that of a complete one, and passed over. */
  abandoned: boolean;
}

interface HeldOnChannel {
  messages: number;
  bytes: number;
}

export interface ReassemblyLimits {
  readonly maxMessageBytes: number;
  readonly maxChannels: number;
  readonly channelWindowBytes: number;
  readonly connectionWindowBytes: number;
}

/** The peer broke a rule: the code to close with. */
export type Violation = typeof CLOSE.protocolViolation | typeof CLOSE.flowControl;

/** Takes a delivered message, whose bytes are the taker's from then on. */
export type Deliver = (channel: number, message: Uint8Array) => void;

export class Reassembly {
  readonly #limits: ReassemblyLimits;
  readonly #credit: ReceiveCredit;
  readonly #deliver: Deliver;
  /** Ids of messages that were delivered, or passed over because the sender had given them up. */
  readonly #settled = new RangeSet();
  readonly #incoming = new Map<number, IncomingMessage>();
  /** Complete and abandoned messages, by the predecessor each waits for. */
  readonly #waiting = new Map<number, IncomingMessage>();
  readonly #held = new Map<number, HeldOnChannel>();
  duplicatePieces = 0;

  constructor(limits: ReassemblyLimits, credit: ReceiveCredit, deliver: Deliver) {
    this.#limits = limits;
    this.#credit = credit;
    this.#deliver = deliver;
  }

  /** Messages of which pieces, or whose predecessors, are missing. */
  get incompleteMessages(): number {
    return this.#incoming.size;
  }

  /** Channels on which such messages are. */
  get heldChannels(): number {
    return this.#held.size;
  }

  /** Takes a frame whose payload lies in `bytes`, which belong to what is delivered from here on. */
  handle(frame: MessageFrame, bytes: Uint8Array): Violation | undefined {
    if (this.#settled.has(frame.id)) {
      this.duplicatePieces += 1;
      return undefined;
    }
    const known = this.#incoming.get(frame.id);
    if (known !== undefined) return this.#addPiece(known, frame, bytes);
    const whole = frame.length === frame.totalBytes && this.#isSettled(frame.predecessor);
    const message = whole ? undefined : newIncoming(frame);
    const violation = this.#begin(frame, message);
    if (violation !== undefined) return violation;
    if (message !== undefined) {
      message.bytes = new Uint8Array(frame.totalBytes);
      return this.#addPiece(message, frame, bytes);
    }
    const end = frame.payloadAt + frame.length;
    this.#settled.add(frame.id, frame.id + 1);
    this.#deliver(frame.channelNumber, ownedPart(bytes, frame.payloadAt, end));
    this.#settleFollowers(frame.id);
    // Every gap is a message that was begun and is charged, if the peer is honest.
    const { connectionWindowBytes } = this.#limits;
    const mostGaps = connectionWindowBytes / MESSAGE_OVERHEAD_BYTES;
    return this.#settled.count > mostGaps + 1 ? CLOSE.protocolViolation : undefined;
  }

  /**
   * The sender has given a message up, of which we have all, some, or nothing yet. If all, it is
   * delivered nevertheless. If not, its bytes are dropped, but it keeps its place in the order of its
   * channel and its credit until its turn has come.
   */
  abandon(frame: MessageFrame): Violation | undefined {
    if (this.#settled.has(frame.id)) return undefined;
    let message = this.#incoming.get(frame.id);
    if (message?.complete === true) return undefined;
    if (message === undefined) {
      message = newIncoming(frame);
      const violation = this.#begin(frame, message);
      if (violation !== undefined) return violation;
    } else if (!isSame(message, frame)) {
      return CLOSE.protocolViolation;
    }
    message.bytes = NO_BYTES;
    message.abandoned = true;
    return this.#complete(message);
  }

  /** Charges a message of which the first frame has come, and keeps it if it is not whole. */
  #begin(frame: MessageFrame, message: IncomingMessage | undefined): Violation | undefined {
    if (frame.totalBytes > this.#limits.maxMessageBytes) return CLOSE.protocolViolation;
    if (!this.#credit.charge(chargeOf(frame.totalBytes))) return CLOSE.flowControl;
    if (message === undefined) return undefined;
    if (frame.ordered && !this.#hold(frame)) return CLOSE.flowControl;
    this.#incoming.set(frame.id, message);
    return undefined;
  }

  #isSettled(predecessor: number): boolean {
    return predecessor === 0 || this.#settled.has(predecessor);
  }

  #addPiece(
    message: IncomingMessage,
    frame: MessageFrame,
    bytes: Uint8Array,
  ): Violation | undefined {
    if (!isSame(message, frame)) return CLOSE.protocolViolation;
    const { offset, length, payloadAt } = frame;
    const added = message.complete ? 0 : message.present.add(offset, offset + length);
    if (added === 0 && (length > 0 || message.complete)) {
      this.duplicatePieces += 1;
      return undefined;
    }
    message.bytes.set(bytes.subarray(payloadAt, payloadAt + length), offset);
    message.presentBytes += added;
    return message.presentBytes === message.totalBytes ? this.#complete(message) : undefined;
  }

  #complete(message: IncomingMessage): Violation | undefined {
    message.complete = true;
    if (this.#isSettled(message.predecessor)) {
      this.#settle(message);
      this.#settleFollowers(message.id);
      return undefined;
    }
    if (this.#waiting.has(message.predecessor)) return CLOSE.protocolViolation;
    this.#waiting.set(message.predecessor, message);
    return undefined;
  }

  /** It is the turn of `message`: delivers it, or passes over it. */
  #settle(message: IncomingMessage): void {
    this.#release(message);
    this.#settled.add(message.id, message.id + 1);
    if (message.abandoned) this.#credit.consume(chargeOf(message.totalBytes));
    else this.#deliver(message.channel, message.bytes);
  }

  /** After the message `id`: those that waited for it. */
  #settleFollowers(id: number): void {
    if (this.#waiting.size === 0) return;
    let last = id;
    for (let next = this.#waiting.get(last); next; next = this.#waiting.get(last)) {
      this.#waiting.delete(last);
      this.#settle(next);
      last = next.id;
    }
  }

  /** Counts an incomplete message on its channel; false if the peer may not have it there. */
  #hold(frame: MessageFrame): boolean {
    const charge = chargeOf(frame.totalBytes);
    const held = this.#held.get(frame.channelNumber);
    if (held === undefined) {
      if (this.#held.size >= this.#limits.maxChannels) return false;
      this.#held.set(frame.channelNumber, { messages: 1, bytes: charge });
      return true;
    }
    if (held.bytes + charge > this.#limits.channelWindowBytes) return false;
    held.messages += 1;
    held.bytes += charge;
    return true;
  }

  #release(message: IncomingMessage): void {
    this.#incoming.delete(message.id);
    const held = message.ordered ? this.#held.get(message.channel) : undefined;
    if (held === undefined) return;
    held.messages -= 1;
    held.bytes -= chargeOf(message.totalBytes);
    if (held.messages === 0) this.#held.delete(message.channel);
  }
}

const NO_BYTES = new Uint8Array(0);

const newIncoming = (frame: MessageFrame): IncomingMessage => ({
  id: frame.id,
  channel: frame.channelNumber,
  ordered: frame.ordered,
  predecessor: frame.predecessor,
  totalBytes: frame.totalBytes,
  bytes: NO_BYTES,
  present: new RangeSet(),
  presentBytes: 0,
  complete: false,
  abandoned: false,
});

/** True if `frame` says the same of its message as the first frame did. */
const isSame = (message: IncomingMessage, frame: MessageFrame): boolean =>
  frame.totalBytes === message.totalBytes &&
  frame.channelNumber === message.channel &&
  frame.ordered === message.ordered &&
  frame.predecessor === message.predecessor;

/**
 * The bytes from `start` to `end` for somebody who may keep them: where they lie if they are most of
 * `bytes`, which nobody else will use, or else a copy, so that a short message keeps no long packet.
 */
const ownedPart = (bytes: Uint8Array, start: number, end: number): Uint8Array => {
  const length = end - start;
  if (2 * length >= bytes.length) {
    return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
  }
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(start, end));
  return copy;
};
