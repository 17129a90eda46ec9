/** The frames of a packet as qlog names them (draft-ietf-quic-qlog-quic-events-01, "QUIC Frames"). */

import { ByteReader } from './byte_reader.ts';
import {
  blankMessageFrame,
  FRAME,
  isMessageFrame,
  readAck,
  readClose,
  readMessageFrame,
  type AckFrame,
} from './frame_codec.ts';
import { MAX_QLOG_FRAMES } from './limits.ts';

/** Codes below are rudp's own; those from here on are the application's (errors.ts). */
const FIRST_APPLICATION_CODE = 0x100;

/** First and last packet number, or the only one. */
type AckedRange = readonly [number, number] | readonly [number];

export type QlogFrame =
  | { readonly frame_type: 'padding'; readonly payload_length: number }
  | { readonly frame_type: 'ping' }
  | {
      readonly frame_type: 'ack';
      readonly ack_delay: number;
      readonly acked_ranges: readonly AckedRange[];
    }
  | { readonly frame_type: 'max_data'; readonly maximum: number }
  | { readonly frame_type: 'path_challenge' | 'path_response'; readonly data: string }
  | {
      readonly frame_type: 'connection_close';
      readonly error_space: 'transport' | 'application';
      readonly error_code: number;
      readonly reason: string;
    }
  /** A message is what QUIC would call a stream of its own: it has a number, offsets and an end. */
  | {
      readonly frame_type: 'stream';
      readonly stream_id: number;
      readonly offset: number;
      readonly length: number;
      readonly fin?: true;
      readonly channel: number;
      readonly ordered: boolean;
    }
  /** The message will not come. */
  | {
      readonly frame_type: 'reset_stream';
      readonly stream_id: number;
      readonly error_code: number;
      readonly final_size: number;
      readonly channel: number;
    }
  | {
      readonly frame_type: 'unknown';
      readonly raw_frame_type: number;
      readonly raw_length: number;
    };

/** Scratch objects: nothing in them outlives one frame. */
const reader = new ByteReader(new Uint8Array(0));
const ackFrame: AckFrame = { ackDelayMs: 0, bounds: [] };
const messageFrame = blankMessageFrame();

/**
 * Describes the frames of a plain payload, whatever its bytes. What cannot be read, or would be more
 * than `MAX_QLOG_FRAMES`, is one frame of type "unknown" at the end.
 */
export const describeFrames = (payload: Uint8Array): QlogFrame[] => {
  const frames: QlogFrame[] = [];
  reader.reset(payload, 0);
  while (reader.remaining > 0) {
    const start = reader.offset;
    const type = reader.uint8();
    const frame = frames.length < MAX_QLOG_FRAMES ? describeFrame(type) : undefined;
    if (frame === undefined) {
      const raw_length = payload.length - start;
      frames.push({ frame_type: 'unknown', raw_frame_type: type, raw_length });
      break;
    }
    frames.push(frame);
  }
  return frames;
};

const describeFrame = (type: number): QlogFrame | undefined => {
  switch (type) {
    case FRAME.padding:
      return describePadding();
    case FRAME.ping:
      return { frame_type: 'ping' };
    case FRAME.ack:
      return readAck(reader, ackFrame) ? describeAck() : undefined;
    case FRAME.maxData: {
      const maximum = reader.varint();
      return reader.failed() ? undefined : { frame_type: 'max_data', maximum };
    }
    case FRAME.close:
      return describeClose();
    case FRAME.pathChallenge:
    case FRAME.pathResponse: {
      const data = reader.uint53().toString(16).padStart(16, '0');
      const frame_type = type === FRAME.pathChallenge ? 'path_challenge' : 'path_response';
      return reader.failed() ? undefined : { frame_type, data };
    }
    default:
      return isMessageFrame(type) ? describeMessage(type) : undefined;
  }
};

/** Neighbouring bytes of padding are one frame. */
const describePadding = (): QlogFrame => {
  const start = reader.offset - 1;
  while (reader.remaining > 0 && reader.bytes[reader.offset] === FRAME.padding) reader.offset += 1;
  return { frame_type: 'padding', payload_length: reader.offset - start };
};

const describeAck = (): QlogFrame => {
  const acked_ranges: AckedRange[] = [];
  const { bounds } = ackFrame;
  for (let index = 0; index < bounds.length; index += 2) {
    const first = bounds[index] ?? 0;
    const last = (bounds[index + 1] ?? 0) - 1;
    acked_ranges.push(first === last ? [first] : [first, last]);
  }
  return { frame_type: 'ack', ack_delay: ackFrame.ackDelayMs, acked_ranges };
};

const describeClose = (): QlogFrame | undefined => {
  const by = readClose(reader);
  if (by === undefined) return undefined;
  const error_space = by.code < FIRST_APPLICATION_CODE ? 'transport' : 'application';
  return { frame_type: 'connection_close', error_space, error_code: by.code, reason: by.reason };
};

const describeMessage = (type: number): QlogFrame | undefined => {
  if (!readMessageFrame(reader, type, messageFrame)) return undefined;
  const { id, channelNumber, ordered, offset, length, totalBytes } = messageFrame;
  if (messageFrame.abandoned) {
    const reset = { frame_type: 'reset_stream', stream_id: id, error_code: 0 } as const;
    return { ...reset, final_size: totalBytes, channel: channelNumber };
  }
  const piece = { frame_type: 'stream', stream_id: id, offset, length } as const;
  const frame = { ...piece, channel: channelNumber, ordered };
  return offset + length === totalBytes ? { ...frame, fin: true } : frame;
};
