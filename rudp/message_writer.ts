/** Writes the frames that carry messages, and notes in the packet's record what it carries. */

import { MESSAGE_BITS, messageHeaderBytes, writeMessageHeader } from './frame_codec.ts';
import type { OutgoingMessage } from './outgoing_message.ts';
import { RangeSet } from './range_set.ts';
import type { SentPacket } from './sent_packets.ts';
import { varintBytes, writeVarint } from './varint.ts';

/** No piece shorter than this is cut to fill the rest of a packet. */
const MIN_PIECE_BYTES = 64;
/** A message shorter than this part of a packet waits for the next one rather than be cut. */
const CUT_FRACTION = 1 / 4;

/** Writes up to `wanted` bytes of `message` as a frame; answers `at` if there is no room. */
export const writePiece = (
  buffer: Uint8Array,
  at: number,
  limit: number,
  message: OutgoingMessage,
  offset: number,
  wanted: number,
  packet: SentPacket,
  first: boolean,
): number => {
  const { totalBytes } = message;
  const header = messageHeaderBytes(message);
  const whole = wanted === totalBytes;
  if (whole && at + header + totalBytes <= limit) {
    const payloadAt = writeMessageHeader(buffer, at, message, 0);
    buffer.set(message.bytes, payloadAt);
    note(packet, message, 0, totalBytes);
    return payloadAt + totalBytes;
  }
  const room = limit - at - header - varintBytes(offset) - varintBytes(wanted);
  const length = Math.min(wanted, room);
  if (length < Math.min(wanted, MIN_PIECE_BYTES) || length <= 0) return at;
  if (!first && length < wanted && wanted < limit * CUT_FRACTION) return at;
  let end = writeMessageHeader(buffer, at, message, MESSAGE_BITS.fragment);
  end = writeVarint(buffer, writeVarint(buffer, end, offset), length);
  buffer.set(message.bytes.subarray(offset, offset + length), end);
  message.acked ??= new RangeSet();
  note(packet, message, offset, length);
  return end + length;
};

/** Writes a piece that is under way once more, whole or not at all. */
export const writeCopy = (
  buffer: Uint8Array,
  at: number,
  limit: number,
  message: OutgoingMessage,
  offset: number,
  length: number,
  packet: SentPacket,
): number => {
  const piece = length === message.totalBytes ? 0 : varintBytes(offset) + varintBytes(length);
  if (at + messageHeaderBytes(message) + piece + length > limit) return at;
  return writePiece(buffer, at, limit, message, offset, length, packet, true);
};

const note = (
  packet: SentPacket,
  message: OutgoingMessage,
  offset: number,
  length: number,
): void => {
  const row = packet.carried;
  packet.messages[row] = message;
  packet.offsets[row] = offset;
  packet.lengths[row] = length;
  packet.carried = row + 1;
  message.nextOffset = Math.max(message.nextOffset, offset + length);
};
