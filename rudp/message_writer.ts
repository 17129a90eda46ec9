/** Writes the frames that carry messages, and notes in the packet's record what it carries. */

import { MESSAGE_BITS, messageHeaderBytes, writeMessageHeader } from './frame_codec.ts';
import type { OutgoingMessage } from './outgoing_message.ts';
import { RangeSet } from './range_set.ts';
import type { LostPiece } from './send_turns.ts';
import type { SentPacket } from './sent_packets.ts';
import { varintBytes, writeVarint } from './varint.ts';

/** No piece shorter than this is cut to fill the rest of a packet. */
const MIN_PIECE_BYTES = 64;
/** A message shorter than this part of a packet waits for the next one rather than be cut. */
const CUT_FRACTION = 1 / 4;

/** Stands for the length of a piece in the record of a packet that says that its message is abandoned. */
export const ABANDONED = -1;

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

/** Writes as much of `piece` as there is room for, and shortens it by that. */
export const writeLostPiece = (
  buffer: Uint8Array,
  at: number,
  limit: number,
  piece: LostPiece,
  packet: SentPacket,
  first: boolean,
): number => {
  const { message, offset, length } = piece;
  if (message.done || (length > 0 && message.acked?.covers(offset, offset + length))) {
    piece.settled = true;
    return at;
  }
  const index = packet.carried;
  const end = writePiece(buffer, at, limit, message, offset, length, packet, first);
  if (end === at) return at;
  const written = packet.lengths[index] ?? 0;
  piece.offset += written;
  piece.length -= written;
  piece.settled = piece.length === 0;
  return end;
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

/** Writes that `message` will not come (the idea of FORWARD-TSN, RFC 3758); answers `at` if there is no room. */
export const writeAbandoned = (
  buffer: Uint8Array,
  at: number,
  limit: number,
  message: OutgoingMessage,
  packet: SentPacket,
): number => {
  if (at + messageHeaderBytes(message) > limit) return at;
  note(packet, message, 0, ABANDONED);
  return writeMessageHeader(buffer, at, message, MESSAGE_BITS.abandoned);
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
