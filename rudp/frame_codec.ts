/** The frames inside a data packet (figures in docs/rudp.md). */

import type { ByteReader } from './byte_reader.ts';
import { MAX_ACK_FRAME_RANGES, MAX_CHANNEL, MAX_REASON_BYTES } from './limits.ts';
import type { Millis } from './millis.ts';
import type { RangeSet } from './range_set.ts';
import { varintBytes, writeVarint } from './varint.ts';

export const FRAME = {
  padding: 0x00,
  ping: 0x01,
  ack: 0x02,
  maxData: 0x03,
  close: 0x04,
  /** A whole message; with the bits of `MESSAGE_BITS` also something else of a message. */
  message: 0x08,
  /** Are you at this address? A token, 8 bytes. Both as in RFC 9000 §19.17, §19.18. */
  pathChallenge: 0x1a,
  /** The same token back. */
  pathResponse: 0x1b,
} as const;

/** Bits in the type of a frame of a message. */
export const MESSAGE_BITS = {
  /** A piece of it. */
  fragment: 0x01,
  /** It is in no order with others, and names no predecessor. */
  unordered: 0x02,
  /** It will not come: the frame has neither offset nor bytes. */
  abandoned: 0x04,
} as const;
const ALL_MESSAGE_BITS = 0x07;
const NO_FRAME = MESSAGE_BITS.abandoned | MESSAGE_BITS.fragment;

/** True for the types of frames that `readMessageFrame` reads. */
export const isMessageFrame = (type: number): boolean =>
  (type & ~ALL_MESSAGE_BITS) === FRAME.message && (type & NO_FRAME) !== NO_FRAME;

const MICROS_PER_MS = 1000;

/** A parsed ACK frame; one object is filled again and again. */
export interface AckFrame {
  ackDelayMs: Millis;
  /** Acknowledged packet numbers as start, end, start, end, …; half-open, descending. */
  readonly bounds: number[];
}

/**
 * Writes an ACK frame (RFC 9000 §19.3) for the newest ranges of `received` that fit below `limit`;
 * answers the offset after it, or `at` if not even one range fits.
 */
export const writeAck = (
  buffer: Uint8Array,
  at: number,
  limit: number,
  received: RangeSet,
  ackDelayMs: Millis,
): number => {
  const newest = received.count - 1;
  const largest = received.endOf(newest) - 1;
  const first = largest - received.startOf(newest);
  const delay = Math.max(0, Math.round(ackDelayMs * MICROS_PER_MS));
  const fixed = 1 + varintBytes(largest) + varintBytes(delay) + 1 + varintBytes(first);
  if (newest < 0 || at + fixed > limit) return at;
  buffer[at] = FRAME.ack;
  let offset = writeVarint(buffer, writeVarint(buffer, at + 1, largest), delay);
  const countAt = offset;
  offset = writeVarint(buffer, offset + 1, first);
  let extra = 0;
  for (let index = newest - 1; index >= 0 && extra < MAX_ACK_FRAME_RANGES - 1; index -= 1) {
    const gap = received.startOf(index + 1) - received.endOf(index) - 1;
    const length = received.endOf(index) - received.startOf(index) - 1;
    if (offset + varintBytes(gap) + varintBytes(length) > limit) break;
    offset = writeVarint(buffer, writeVarint(buffer, offset, gap), length);
    extra += 1;
  }
  buffer[countAt] = extra;
  return offset;
};

/** Reads an ACK frame after its type byte; false if it is malformed. */
export const readAck = (reader: ByteReader, into: AckFrame): boolean => {
  const largest = reader.varint();
  into.ackDelayMs = reader.varint() / MICROS_PER_MS;
  const extra = reader.uint8();
  let start = largest - reader.varint();
  into.bounds.length = 0;
  if (reader.failed() || extra >= MAX_ACK_FRAME_RANGES || start < 0) return false;
  into.bounds.push(start, largest + 1);
  for (let index = 0; index < extra; index += 1) {
    const end = start - reader.varint() - 1;
    start = end - reader.varint() - 1;
    if (reader.failed() || start < 0) return false;
    into.bounds.push(start, end);
  }
  return true;
};

/** What all frames of one message say of it. */
export interface MessageHeader {
  /** The number of the message on its connection, from 1 in the order of first sending. */
  readonly id: number;
  readonly channelNumber: number;
  readonly ordered: boolean;
  /** The message of this channel that must be delivered before, 0 if that is known to be done. */
  readonly predecessor: number;
  readonly totalBytes: number;
}

/** A parsed frame of a message; one object is filled again and again. */
export interface MessageFrame extends MessageHeader {
  id: number;
  channelNumber: number;
  ordered: boolean;
  predecessor: number;
  totalBytes: number;
  abandoned: boolean;
  offset: number;
  length: number;
  /** Where the payload lies in the reader's bytes. */
  payloadAt: number;
}

export const blankMessageFrame = (): MessageFrame => ({
  id: 0,
  channelNumber: 0,
  ordered: true,
  predecessor: 0,
  totalBytes: 0,
  abandoned: false,
  offset: 0,
  length: 0,
  payloadAt: 0,
});

/**
 * Reads a frame for which `isMessageFrame` holds, after its type byte, and steps over the payload;
 * false if it is malformed.
 */
export const readMessageFrame = (reader: ByteReader, type: number, into: MessageFrame): boolean => {
  const whole = (type & MESSAGE_BITS.fragment) === 0;
  into.ordered = (type & MESSAGE_BITS.unordered) === 0;
  into.abandoned = (type & MESSAGE_BITS.abandoned) !== 0;
  into.id = reader.varint();
  into.channelNumber = reader.varint();
  const distance = into.ordered ? reader.varint() : 0;
  into.predecessor = distance === 0 ? 0 : into.id - distance;
  into.totalBytes = reader.varint();
  into.offset = whole ? 0 : reader.varint();
  into.length = whole ? into.totalBytes : reader.varint();
  if (into.abandoned) into.length = 0;
  into.payloadAt = reader.offset;
  if (reader.failed() || into.length > reader.remaining) return false;
  reader.offset += into.length;
  return (
    into.id > 0 &&
    into.predecessor >= 0 &&
    !(distance > 0 && into.predecessor === 0) &&
    into.channelNumber <= MAX_CHANNEL &&
    into.offset + into.length <= into.totalBytes &&
    (whole || into.length > 0)
  );
};

const distanceOf = ({ id, predecessor }: MessageHeader): number =>
  predecessor === 0 ? 0 : id - predecessor;

/** The bytes of the header, without those of offset and length, which only fragments have. */
export const messageHeaderBytes = (message: MessageHeader): number =>
  1 +
  varintBytes(message.id) +
  varintBytes(message.channelNumber) +
  (message.ordered ? varintBytes(distanceOf(message)) : 0) +
  varintBytes(message.totalBytes);

/** Writes a header of `messageHeaderBytes`; offset and length of a fragment are to follow. */
export const writeMessageHeader = (
  buffer: Uint8Array,
  at: number,
  message: MessageHeader,
  bits: number,
): number => {
  const { id, channelNumber, ordered, totalBytes } = message;
  buffer[at] = FRAME.message | bits | (ordered ? 0 : MESSAGE_BITS.unordered);
  let offset = writeVarint(buffer, at + 1, id);
  offset = writeVarint(buffer, offset, channelNumber);
  if (ordered) offset = writeVarint(buffer, offset, distanceOf(message));
  return writeVarint(buffer, offset, totalBytes);
};

/** Cuts `reason` to what a close may carry, at a character boundary. */
export const cutReason = (reason: string): Uint8Array => {
  const bytes = new Uint8Array(MAX_REASON_BYTES);
  return bytes.subarray(0, new TextEncoder().encodeInto(reason, bytes).written);
};

/** Writes a CLOSE frame; there is always room for it in an empty packet. */
export const writeClose = (
  buffer: Uint8Array,
  at: number,
  code: number,
  reason: string,
): number => {
  const bytes = cutReason(reason);
  buffer[at] = FRAME.close;
  const offset = writeVarint(buffer, writeVarint(buffer, at + 1, code), bytes.length);
  buffer.set(bytes, offset);
  return offset + bytes.length;
};

/** Reads a CLOSE frame after its type byte; undefined if it is malformed. */
export const readClose = (
  reader: ByteReader,
): { readonly code: number; readonly reason: string } | undefined => {
  const code = reader.varint();
  const bytes = reader.view(reader.varint());
  if (reader.failed() || bytes.length > MAX_REASON_BYTES) return undefined;
  return { code, reason: new TextDecoder().decode(bytes) };
};
