/**
 * Watching a connection at work, packet by packet. A connection without an observer pays one branch
 * a packet; one that has one tells it everything at once, on its own time.
 */

import type { CongestionController } from './congestion.ts';
import type { CloseReason } from './errors.ts';
import type { Introduction } from './handshake_codec.ts';
import type { LossDetection } from './loss_detection.ts';
import type { Millis } from './millis.ts';
import type { ConnectionId } from './packet_codec.ts';
import type { SentPacket } from './sent_packets.ts';

/** Which side of a connection did something. */
export type Owner = 'local' | 'remote';

/** A connection as it is when it begins. */
export interface ObservedConnection {
  readonly address: string;
  readonly initiator: boolean;
  readonly localId: ConnectionId;
  readonly remoteId: ConnectionId;
  /** What each side has told the other in the handshake. */
  readonly local: Introduction;
  readonly peer: Introduction;
}

/** Its methods must not throw, and must not keep what they are given: all of it is used again. */
export interface ConnectionObserver {
  /** A packet of `sizeBytes` is about to go; `payload` are its frames before encryption. */
  packetSent(packetNumber: number, sizeBytes: number, payload: Uint8Array, now: Millis): void;
  /** A packet came that is whole and no duplicate; its frames are handled next. */
  packetReceived(packetNumber: number, sizeBytes: number, payload: Uint8Array, now: Millis): void;
  packetLost(packet: Readonly<SentPacket>, now: Millis): void;
  /** Something of what recovery measures may have changed. */
  metricsUpdated(loss: LossDetection, congestion: CongestionController, now: Millis): void;
  closed(owner: Owner, by: CloseReason, now: Millis): void;
}

/** Called for every connection of an endpoint as it begins. */
export type Observe = (connection: ObservedConnection, now: Millis) => ConnectionObserver;
