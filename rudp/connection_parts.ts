/** The parts of an established connection, as packet building and frame handling share them. */

import type { AckRanges } from './ack_ranges.ts';
import type { Channels } from './channels.ts';
import type { CongestionController } from './congestion.ts';
import type { DeliveryRate } from './delivery_rate.ts';
import type { ReceiveCredit, SendCredit } from './flow_control.ts';
import type { KeyUpdate } from './key_update.ts';
import type { LossDetection } from './loss_detection.ts';
import type { Millis } from './millis.ts';
import type { Pacer } from './pacer.ts';
import type { ConnectionId } from './packet_codec.ts';
import type { PathMtu } from './path_mtu.ts';
import type { PacketProtection } from './protection.ts';
import type { Reassembly } from './reassembly.ts';
import type { Redundancy } from './redundancy.ts';
import type { Counters } from './stats.ts';

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
  readonly mtu: PathMtu;
  readonly congestion: CongestionController;
  readonly pacer: Pacer;
  readonly rate: DeliveryRate;
  readonly redundancy: Redundancy;
  readonly counters: Counters;
  /** A ping must go. */
  pingPending: boolean;
  /** Probes that must go whatever the congestion window says (RFC 9002 §6.2.4). */
  probesPending: number;
  /** When the pacer lets the next packet go; `NEVER` while it holds nothing back. */
  paceUntil: Millis;
}
