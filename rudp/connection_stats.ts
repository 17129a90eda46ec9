/** One look at a connection, gathered from its parts. */

import type { ConnectionParts } from './connection_parts.ts';
import type { ConnectionStats } from './stats.ts';

export const statsOf = (parts: ConnectionParts): ConnectionStats => {
  const { loss, congestion, channels, mtu, counters, redundancy } = parts;
  const { reassembly, receiveCredit } = parts;
  return {
    ...counters,
    latestRtt: loss.rtt.latestRtt,
    smoothedRtt: loss.rtt.smoothedRtt,
    rttvar: loss.rtt.rttvar,
    minRtt: loss.rtt.minRtt,
    ptoCount: loss.ptoCount,
    congestionWindow: congestion.windowBytes,
    ssthresh: congestion.ssthreshBytes,
    bytesInFlight: loss.bytesInFlight,
    packetsInFlight: loss.sent.outstanding,
    pacingRate: congestion.pacingRate(loss.rtt.smoothedRtt),
    bufferedBytes: channels.bufferedBytes,
    messagesDropped: channels.messagesDropped,
    activeChannels: channels.activeChannels,
    packetsLost: loss.packetsLost,
    lossRate: redundancy.loss.rate,
    copiedBytes: redundancy.copiedBytes,
    copiesUsed: redundancy.copiesUsed,
    spuriousLosses: loss.reordering.spuriousLosses,
    retransmits: channels.retransmits,
    retransmittedBytes: channels.retransmittedBytes,
    datagramBytes: mtu.currentBytes,
    mtuBlackHoles: mtu.blackHoles,
    incompleteMessages: reassembly.incompleteMessages,
    receiveHeldBytes: receiveCredit.heldBytes,
  };
};
