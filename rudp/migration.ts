/** What becomes of a connection's knowledge of its path when the peer has moved (RFC 9000 §9.4). */

import { createCongestionController } from './congestion.ts';
import { createPathMtu, type ConnectionParts, type ConnectionSeed } from './connection_parts.ts';
import { DeliveryRate } from './delivery_rate.ts';
import { NEVER, type Millis } from './millis.ts';
import type { ResolvedOptions } from './options.ts';
import { Pacer } from './pacer.ts';
import { PieceAllowance } from './split_packets.ts';

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':'));

/**
 * The peer is at `to` from now on. If only its port has changed, the path is the same. Else all that
 * was measured is of another path: it is measured anew, and what is under way is sent again.
 * @param rttMs the round trip of the validation, if there was one alone.
 */
export const startOnNewPath = (
  parts: ConnectionParts,
  seed: ConnectionSeed,
  options: ResolvedOptions,
  from: string,
  to: string,
  rttMs: Millis | undefined,
  now: Millis,
): void => {
  // What went to the old address is found lost by the answer to this.
  parts.pingPending = true;
  parts.loss.ptoCount = 0;
  if (hostOf(from) === hostOf(to)) return;
  const { loss } = parts;
  loss.startOver(options.initialRttMs);
  for (const packet of loss.lost) {
    parts.observer?.packetLost(packet, now);
    parts.channels.onLost(packet);
    if (packet.maxData) parts.receiveCredit.updatePending = true;
    loss.sent.release(packet);
  }
  loss.lost.length = 0;
  if (rttMs !== undefined) loss.rtt.update(rttMs, 0, now);
  parts.mtu = createPathMtu(options, seed.peer, to);
  parts.congestion = createCongestionController(options.congestion, parts.mtu.currentBytes);
  parts.pacer = new Pacer();
  parts.rate = new DeliveryRate();
  parts.allowance = new PieceAllowance();
  parts.redundancy.loss = seed.losses.of(to);
  parts.probesPending = 0;
  parts.paceUntil = NEVER;
};
