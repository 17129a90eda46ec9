/** Puts together the next data packet of a connection. */

import type { ConnectionParts } from './connection_parts.ts';
import type { CloseReason } from './errors.ts';
import { FRAME, writeClose } from './frame_codec.ts';
import { MIN_DATAGRAM_BYTES } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';
import {
  DATA_HEADER_BYTES,
  PIECE_HEADER_BYTES,
  RESET_BYTES,
  writeDataHeader,
} from './packet_codec.ts';
import type { PathPacket } from './path_validation.ts';
import type { SentPacket } from './sent_packets.ts';
import { packetBytesOf, piecesOf } from './split_packets.ts';
import { varintBytes, writeUint53, writeVarint } from './varint.ts';

/** Whoever does not know the connection answers only what is longer than a reset. */
const LEAST_ASKING_BYTES = RESET_BYTES + 1;

/**
 * On a shorter path, timers that fire once a millisecond cannot spread packets over a round trip: they
 * would only leave it unused. There the window alone governs.
 */
const PACED_FROM_RTT_MS: Millis = 2;

/** From this probe on, probes are small: perhaps the path has stopped carrying large packets. */
const SMALL_PROBES_FROM_PTO = 2;

/**
 * Builds and seals the next packet in `buffer`, which has room for the longest datagram; answers
 * its length, 0 if there is nothing to send now.
 */
export const buildPacket = (parts: ConnectionParts, buffer: Uint8Array, now: Millis): number => {
  if (parts.mtu.isProbeDue(parts.channels.hasData, now)) return buildMtuProbe(parts, buffer, now);
  const probing = parts.probesPending > 0;
  const wanting =
    probing ||
    parts.pingPending ||
    parts.receiveCredit.updatePending ||
    parts.channels.hasData ||
    copiesDue(parts, now);
  if (!wanting) parts.rate.onAppLimited(parts.loss.bytesInFlight);
  const sending = wanting && (probing || maySend(parts, now));
  if (!sending && parts.acks.deadline > now) return 0;

  const { loss, protection } = parts;
  const small = loss.ptoCount >= SMALL_PROBES_FROM_PTO;
  const datagramBytes = small ? MIN_DATAGRAM_BYTES : parts.mtu.currentBytes;
  const size = sending && !probing ? sizeAllowed(parts, datagramBytes) : datagramBytes;
  const limit = size - protection.overhead;
  const packetNumber = loss.sent.nextPacketNumber;
  const header = writeDataHeader(buffer, parts.remoteId, packetNumber);
  let at = header;
  let largestAcknowledged = -1;
  if (parts.acks.pending) {
    at = parts.acks.write(buffer, at, limit, now);
    if (at > header) largestAcknowledged = parts.acks.largestReceived;
  }
  const eliciting = at;
  const packet = loss.sent.blank();
  packet.largestAcknowledged = largestAcknowledged;
  if (sending) at = writeEliciting(parts, buffer, at, limit, packet);
  const asksForAck = at > eliciting;
  if (at === header) {
    loss.sent.release(packet);
    return 0;
  }
  const least = LEAST_ASKING_BYTES - protection.overhead;
  if (asksForAck && at < least) {
    buffer.fill(FRAME.padding, at, least);
    at = least;
  }
  const end = sealPacket(parts, buffer, header, at, packetNumber, now);
  if (!asksForAck) loss.sent.release(packet);
  let sentBytes = end;
  parts.cutBytes = 0;
  if (end > datagramBytes) {
    packet.datagrams = piecesOf(end, datagramBytes);
    parts.cutBytes = datagramBytes;
    sentBytes += packet.datagrams * PIECE_HEADER_BYTES - DATA_HEADER_BYTES;
  }
  noteSent(parts, asksForAck ? packet : undefined, sentBytes, now);
  return end;
};

/** How long the next packet may be: longer than a datagram if the path loses and reorders nothing. */
const sizeAllowed = (parts: ConnectionParts, datagramBytes: number): number => {
  const { congestion, loss, allowance } = parts;
  if (loss.reordering.isSeen) return datagramBytes;
  const room = congestion.windowBytes - loss.bytesInFlight;
  const rate = congestion.pacingRate(loss.rtt.smoothedRtt);
  return packetBytesOf(allowance.pieces(datagramBytes, rate, room), datagramBytes);
};

const copiesDue = ({ redundancy, congestion, loss }: ConnectionParts, now: Millis): boolean =>
  redundancy.isDue(congestion.windowBytes, loss.rtt.smoothedRtt, now);

/** True if congestion control and pacing let a full packet go now. */
const maySend = (parts: ConnectionParts, now: Millis): boolean => {
  const { congestion, loss, mtu } = parts;
  const size = mtu.currentBytes;
  parts.paceUntil = NEVER;
  if (loss.bytesInFlight + size > congestion.windowBytes) return false;
  if (loss.rtt.hasSample && loss.rtt.minRtt < PACED_FROM_RTT_MS) return true;
  const rate = congestion.pacingRate(loss.rtt.smoothedRtt);
  const release = parts.pacer.releaseTime(now, size, rate, size);
  if (release <= now) return true;
  parts.paceUntil = release;
  return false;
};

/** Writes the frames that ask for an acknowledgement. */
const writeEliciting = (
  parts: ConnectionParts,
  buffer: Uint8Array,
  start: number,
  limit: number,
  packet: SentPacket,
): number => {
  let at = start;
  if (parts.pingPending && at < limit) {
    buffer[at] = FRAME.ping;
    at += 1;
    parts.pingPending = false;
    parts.counters.pings += 1;
  }
  if (parts.receiveCredit.updatePending && at + 1 + varintBytes(Number.MAX_SAFE_INTEGER) <= limit) {
    buffer[at] = FRAME.maxData;
    at = writeVarint(buffer, at + 1, parts.receiveCredit.announce());
    packet.maxData = true;
  }
  const data = at;
  at = parts.channels.write(buffer, at, limit, packet);
  if (at > data) parts.redundancy.note(packet, parts.loss.rtt);
  else at = parts.redundancy.write(buffer, at, limit, packet);
  if (parts.probesPending === 0) return at;
  parts.probesPending -= 1;
  parts.counters.probes += 1;
  if (at > start) return at;
  // Nothing new to say: repeat the data of the oldest packets, each probe that of another one, or at
  // least ask whether anybody is there.
  const { sent } = parts.loss;
  const repeated = sent.firstAfter(parts.probedUpTo) ?? sent.firstAfter(-1);
  if (repeated !== undefined) {
    parts.probedUpTo = repeated.packetNumber;
    parts.channels.onLost(repeated);
    at = parts.channels.write(buffer, at, limit, packet);
  }
  if (at === start && at < limit) {
    buffer[at] = FRAME.ping;
    at += 1;
    parts.counters.pings += 1;
  }
  return at;
};

/** Seals the frames between `header` and `end`; answers the packet's length. */
const sealPacket = (
  parts: ConnectionParts,
  buffer: Uint8Array,
  header: number,
  end: number,
  packetNumber: number,
  now: Millis,
): number => {
  const { observer, keys, protection } = parts;
  const sizeBytes = end + protection.overhead;
  observer?.packetSent(packetNumber, sizeBytes, buffer.subarray(header, end), now);
  keys.beforeSealing(packetNumber, now);
  return protection.seal(buffer, header, end, packetNumber);
};

const noteSent = (
  parts: ConnectionParts,
  packet: SentPacket | undefined,
  sizeBytes: number,
  now: Millis,
): void => {
  const { loss } = parts;
  parts.counters.packetsSent += 1;
  parts.counters.bytesSent += sizeBytes;
  if (packet !== undefined) {
    packet.sizeBytes = sizeBytes;
    parts.rate.onSent(packet, loss.bytesInFlight, now);
  }
  loss.onSent(packet, now);
  if (packet === undefined) return;
  parts.congestion.onSent(sizeBytes, loss.bytesInFlight, now);
  parts.pacer.onSent(sizeBytes);
  // A window at least half full counts as used (RFC 9002 §7.8 leaves the measure to us).
  packet.windowLimited = 2 * loss.bytesInFlight >= parts.congestion.windowBytes;
  parts.observer?.metricsUpdated(loss, parts.congestion, now);
};

/** A ping, padded to the size that is tried. */
const buildMtuProbe = (parts: ConnectionParts, buffer: Uint8Array, now: Millis): number => {
  const { loss, protection } = parts;
  const packetNumber = loss.sent.nextPacketNumber;
  const size = parts.mtu.takeProbe();
  const header = writeDataHeader(buffer, parts.remoteId, packetNumber);
  buffer.fill(FRAME.padding, header, size - protection.overhead);
  buffer[header] = FRAME.ping;
  const end = sealPacket(parts, buffer, header, size - protection.overhead, packetNumber, now);
  const packet = loss.sent.blank();
  packet.mtuProbe = true;
  parts.cutBytes = 0;
  noteSent(parts, packet, end, now);
  return end;
};

/** A packet with one frame that no acknowledgement is asked for: the answer is a frame, too. */
export const buildPathPacket = (
  parts: ConnectionParts,
  buffer: Uint8Array,
  { kind, token }: PathPacket,
  now: Millis,
): number => {
  const packetNumber = parts.loss.sent.nextPacketNumber;
  const header = writeDataHeader(buffer, parts.remoteId, packetNumber);
  buffer[header] = kind === 'challenge' ? FRAME.pathChallenge : FRAME.pathResponse;
  const end = writeUint53(buffer, header + 1, token);
  const sizeBytes = sealPacket(parts, buffer, header, end, packetNumber, now);
  noteSent(parts, undefined, sizeBytes, now);
  parts.cutBytes = 0;
  return sizeBytes;
};

/** Builds and seals a packet that holds nothing but a CLOSE frame. */
export const buildClose = (
  parts: ConnectionParts,
  buffer: Uint8Array,
  { code, reason }: CloseReason,
  now: Millis,
): number => {
  const packetNumber = parts.loss.sent.nextPacketNumber;
  const header = writeDataHeader(buffer, parts.remoteId, packetNumber);
  const end = writeClose(buffer, header, code, reason);
  parts.loss.onSent(undefined, now);
  return sealPacket(parts, buffer, header, end, packetNumber, now);
};
