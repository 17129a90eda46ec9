/** Does what the frames of a received packet say. */

import { ByteReader } from './byte_reader.ts';
import type { ConnectionParts } from './connection_parts.ts';
import { CLOSE, type CloseReason } from './errors.ts';
import {
  blankMessageFrame,
  FRAME,
  isMessageFrame,
  readAck,
  readClose,
  readMessageFrame,
  type AckFrame,
} from './frame_codec.ts';
import type { Millis } from './millis.ts';
import type { SentPacket } from './sent_packets.ts';

/** What came of a packet's frames. */
export type FramesOutcome =
  | { readonly tag: 'done'; readonly ackEliciting: boolean }
  | { readonly tag: 'closed'; readonly by: CloseReason }
  | { readonly tag: 'violation'; readonly why: CloseReason };

const ELICITING: FramesOutcome = { tag: 'done', ackEliciting: true };
const NOT_ELICITING: FramesOutcome = { tag: 'done', ackEliciting: false };

const violation = (code: number, reason: string): FramesOutcome => ({
  tag: 'violation',
  why: { code, reason },
});
const malformed = (what: string): FramesOutcome =>
  violation(CLOSE.protocolViolation, `malformed ${what} frame`);

/** Scratch objects: nothing in them outlives one frame. */
const reader = new ByteReader(new Uint8Array(0));
const ackFrame: AckFrame = { ackDelayMs: 0, bounds: [] };
const messageFrame = blankMessageFrame();

/** Handles all frames of `payload` in order, up to the first that ends the connection. */
export const handleFrames = (
  parts: ConnectionParts,
  payload: Uint8Array,
  now: Millis,
): FramesOutcome => {
  reader.reset(payload, 0);
  let ackEliciting = false;
  if (reader.remaining === 0) return violation(CLOSE.protocolViolation, 'packet without a frame');
  while (reader.remaining > 0) {
    const type = reader.uint8();
    switch (type) {
      case FRAME.padding:
        break;
      case FRAME.ping:
        ackEliciting = true;
        break;
      case FRAME.ack:
        if (!readAck(reader, ackFrame)) return malformed('ack');
        if (!handleAck(parts, now)) {
          return violation(CLOSE.protocolViolation, 'acknowledgement of a packet never sent');
        }
        break;
      case FRAME.maxData: {
        ackEliciting = true;
        const limit = reader.varint();
        if (reader.failed()) return malformed('max_data');
        if (parts.sendCredit.raise(limit)) parts.channels.onCredit();
        break;
      }
      case FRAME.pathChallenge:
      case FRAME.pathResponse: {
        const token = reader.uint53();
        if (reader.failed()) return malformed('path');
        if (type === FRAME.pathChallenge) parts.paths.onChallenge(token);
        else parts.paths.onResponse(token, now);
        break;
      }
      case FRAME.close: {
        const by = readClose(reader);
        return by === undefined ? malformed('close') : { tag: 'closed', by };
      }
      default: {
        ackEliciting = true;
        if (!isMessageFrame(type)) {
          return violation(CLOSE.protocolViolation, `frame of unknown type ${type}`);
        }
        if (!readMessageFrame(reader, type, messageFrame)) return malformed('message');
        const { reassembly } = parts;
        const broken = messageFrame.abandoned
          ? reassembly.abandon(messageFrame)
          : reassembly.handle(messageFrame, payload);
        if (broken !== undefined) return violation(broken, 'message beyond what was allowed');
      }
    }
  }
  return ackEliciting ? ELICITING : NOT_ELICITING;
};

const handleAck = (parts: ConnectionParts, now: Millis): boolean => {
  const { loss } = parts;
  if (!loss.handleAck(ackFrame.bounds, ackFrame.ackDelayMs, now)) return false;
  parts.keys.onAcked(loss.largestAcked);
  parts.rate.onAcked(loss.acked, loss.rtt.minRtt, now);
  for (const packet of loss.acked) settleAcked(parts, packet, now);
  loss.acked.length = 0;
  settleLost(parts, now);
  if (loss.reordering.takeUndo()) parts.congestion.onSpuriousLoss();
  const { sample } = parts.rate;
  sample.bytesInFlight = loss.bytesInFlight;
  sample.latestRtt = loss.rtt.latestRtt;
  sample.smoothedRtt = loss.rtt.smoothedRtt;
  parts.congestion.onRateSample(sample, now);
  if (loss.ptoCount === 0) parts.probesPending = 0;
  parts.observer?.metricsUpdated(loss, parts.congestion, now);
  return true;
};

const settleAcked = (parts: ConnectionParts, packet: SentPacket, now: Millis): void => {
  const { loss, congestion } = parts;
  parts.channels.onAcked(packet);
  if (packet.largestAcknowledged >= 0) parts.acks.forgetUpTo(packet.largestAcknowledged);
  const { sizeBytes, timeSent, windowLimited } = packet;
  congestion.onAcked(sizeBytes, timeSent, loss.rtt.smoothedRtt, windowLimited, now);
  if (parts.mtu.onAcked(packet.packetNumber, datagramBytesOf(parts, packet), now)) {
    congestion.setMaxDatagramBytes(parts.mtu.currentBytes);
  }
  if (!packet.mtuProbe) {
    parts.redundancy.loss.onSettled(false);
    parts.allowance.onAcked(packet.datagrams);
  }
  loss.sent.release(packet);
};

/** The longest datagram that `packet` travelled in. */
const datagramBytesOf = ({ mtu }: ConnectionParts, { sizeBytes, datagrams }: SentPacket): number =>
  datagrams === 1 ? sizeBytes : Math.min(mtu.currentBytes, Math.ceil(sizeBytes / datagrams));

/** Settles the packets in `loss.lost`: their frames go again, the controller learns of it. */
export const settleLost = (parts: ConnectionParts, now: Millis): void => {
  const { loss, congestion } = parts;
  let lostBytes = 0;
  let newest: Millis = 0;
  for (const packet of loss.lost) {
    parts.observer?.packetLost(packet, now);
    parts.channels.onLost(packet);
    if (packet.maxData) parts.receiveCredit.updatePending = true;
    if (packet.mtuProbe) {
      parts.mtu.onProbeLost(packet.sizeBytes, now);
    } else {
      parts.redundancy.onLost(packet);
      parts.allowance.onLost();
      lostBytes += packet.sizeBytes;
      newest = Math.max(newest, packet.timeSent);
      if (parts.mtu.onLost(packet.packetNumber, datagramBytesOf(parts, packet))) {
        congestion.setMaxDatagramBytes(parts.mtu.currentBytes);
      }
    }
    loss.sent.release(packet);
  }
  loss.lost.length = 0;
  if (lostBytes > 0) congestion.onLost(lostBytes, newest, loss.persistentCongestion, now);
};
