/** The parts of an established connection, as packet building and frame handling share them. */

import { AckRanges } from './ack_ranges.ts';
import { Channels } from './channels.ts';
import { createCongestionController, type CongestionController } from './congestion.ts';
import { DeliveryRate } from './delivery_rate.ts';
import { ReceiveCredit, SendCredit } from './flow_control.ts';
import { introductionOf, type Introduction } from './handshake_codec.ts';
import { KeyUpdate } from './key_update.ts';
import { MIN_DATAGRAM_BYTES } from './limits.ts';
import { LossDetection } from './loss_detection.ts';
import type { LossMeasures } from './loss_measure.ts';
import { NEVER, type Millis } from './millis.ts';
import type { ConnectionObserver } from './observer.ts';
import type { ResolvedOptions } from './options.ts';
import { Pacer } from './pacer.ts';
import type { ConnectionId } from './packet_codec.ts';
import { PathMtu } from './path_mtu.ts';
import { PathValidation } from './path_validation.ts';
import type { PacketProtection } from './protection.ts';
import { Reassembly } from './reassembly.ts';
import { Redundancy } from './redundancy.ts';
import type { Outcome } from './send_options.ts';
import { PieceAllowance, PieceAssembly } from './split_packets.ts';
import { newCounters, type Counters } from './stats.ts';

/** The name of a connection at its endpoint; never used twice. */
export type ConnectionHandle = number;

/** What a handshake leaves: all that a connection begins with. */
export interface ConnectionSeed {
  readonly handle: ConnectionHandle;
  readonly address: string;
  readonly initiator: boolean;
  readonly localId: ConnectionId;
  readonly remoteId: ConnectionId;
  readonly peer: Introduction;
  readonly protection: PacketProtection;
  readonly losses: LossMeasures;
}

export interface ConnectionParts {
  readonly remoteId: ConnectionId;
  readonly protection: PacketProtection;
  readonly keys: KeyUpdate;
  readonly loss: LossDetection;
  readonly acks: AckRanges;
  readonly channels: Channels;
  readonly reassembly: Reassembly;
  readonly sendCredit: SendCredit;
  readonly receiveCredit: ReceiveCredit;
  mtu: PathMtu;
  congestion: CongestionController;
  pacer: Pacer;
  rate: DeliveryRate;
  readonly redundancy: Redundancy;
  allowance: PieceAllowance;
  readonly assembly: PieceAssembly;
  readonly paths: PathValidation;
  readonly counters: Counters;
  readonly observer: ConnectionObserver | undefined;
  /** The packet that was built last is to be cut into datagrams of so many bytes; 0 if it is one. */
  cutBytes: number;
  /** A ping must go. */
  pingPending: boolean;
  /** Probes that must go whatever the congestion window says (RFC 9002 §6.2.4). */
  probesPending: number;
  /** Probes have repeated what packets up to this number carry, since the last probe timeout. */
  probedUpTo: number;
  /** When the pacer lets the next packet go; `NEVER` while it holds nothing back. */
  paceUntil: Millis;
}

/** Searches up to what we send, the peer takes and the interface between carries. */
export const createPathMtu = (
  options: ResolvedOptions,
  peer: Introduction,
  address: string,
): PathMtu => {
  const ours = Math.min(options.maxDatagramBytes, options.interfaceDatagramBytes(address));
  return new PathMtu(Math.max(MIN_DATAGRAM_BYTES, Math.min(ours, peer.maxDatagramBytes)));
};

/**
 * @param deliver takes each message that is complete and whose turn has come.
 * @param onSettled learns the fate of each message of ours that is tracked.
 */
export const createParts = (
  seed: ConnectionSeed,
  options: ResolvedOptions,
  now: Millis,
  deliver: (channel: number, message: Uint8Array) => void,
  onSettled: (ticket: number, outcome: Outcome) => void,
): ConnectionParts => {
  const { peer } = seed;
  const sendCredit = new SendCredit(peer.connectionWindowBytes);
  const receiveCredit = new ReceiveCredit(options.connectionWindowBytes, options.maxMessageBytes);
  const mtu = createPathMtu(options, peer, seed.address);
  const limits = {
    maxChannels: Math.min(options.maxChannels, peer.maxChannels),
    maxMessageBytes: peer.maxMessageBytes,
    sendBufferBytes: options.sendBufferBytes,
    channelWindowBytes: peer.channelWindowBytes,
  };
  const counters = newCounters();
  return {
    remoteId: seed.remoteId,
    protection: seed.protection,
    keys: new KeyUpdate(seed.protection, options.keyUpdatePackets, options.keyUpdateMs, now),
    loss: new LossDetection(options.initialRttMs, peer.maxAckDelayMs),
    acks: new AckRanges(options.maxAckDelayMs, options.maxAckRanges),
    channels: new Channels(limits, sendCredit, onSettled),
    reassembly: new Reassembly(options, receiveCredit, (channel, message) => {
      counters.messagesReceived += 1;
      deliver(channel, message);
    }),
    sendCredit,
    receiveCredit,
    mtu,
    congestion: createCongestionController(options.congestion, mtu.currentBytes),
    pacer: new Pacer(),
    rate: new DeliveryRate(),
    redundancy: new Redundancy(options.redundancyShare, seed.losses.of(seed.address)),
    allowance: new PieceAllowance(),
    assembly: new PieceAssembly(),
    paths: new PathValidation(options.random),
    counters,
    observer: options.observe?.({ ...seed, local: introductionOf(options) }, now),
    cutBytes: 0,
    pingPending: false,
    probesPending: 0,
    probedUpTo: -1,
    paceUntil: NEVER,
  };
};
