/** What can be seen of a connection and of an endpoint. */

import type { Millis } from './millis.ts';

/** Counted per connection, both directions in datagrams with all headers. */
export interface Counters {
  packetsSent: number;
  packetsReceived: number;
  bytesSent: number;
  bytesReceived: number;
  messagesSent: number;
  messagesReceived: number;
  /** Datagrams that came for this connection but were damaged or from another address. */
  corruptPackets: number;
  duplicatePackets: number;
  pings: number;
  probes: number;
}

export const newCounters = (): Counters => ({
  packetsSent: 0,
  packetsReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
  messagesSent: 0,
  messagesReceived: 0,
  corruptPackets: 0,
  duplicatePackets: 0,
  pings: 0,
  probes: 0,
});

/** One look at a connection. Names as in RFC 9002; times in milliseconds, sizes in bytes. */
export interface ConnectionStats extends Readonly<Counters> {
  readonly latestRtt: Millis;
  readonly smoothedRtt: Millis;
  readonly rttvar: Millis;
  readonly minRtt: Millis;
  readonly ptoCount: number;
  readonly congestionWindow: number;
  readonly ssthresh: number;
  readonly bytesInFlight: number;
  readonly packetsInFlight: number;
  /** What the controller lets go, in bytes per millisecond. */
  readonly pacingRate: number;
  /** Bytes `send` has taken that the peer has not acknowledged. */
  readonly bufferedBytes: number;
  /** Messages of ours that were given up, by their deadline or by the user. */
  readonly messagesDropped: number;
  readonly activeChannels: number;
  readonly packetsLost: number;
  /** The part of our packets that gets lost, as measured over the last few hundred. */
  readonly lossRate: number;
  /** Bytes of frames that were sent once more without having been lost (redundancy.ts). */
  readonly copiedBytes: number;
  /** Pieces that a copy saved from a retransmission. */
  readonly copiesUsed: number;
  /** Packets declared lost that arrived after all. */
  readonly spuriousLosses: number;
  /** Pieces of messages that were sent again because their packet was lost, and their bytes. */
  readonly retransmits: number;
  readonly retransmittedBytes: number;
  readonly datagramBytes: number;
  readonly mtuBlackHoles: number;
  /** Incoming messages of which pieces, or whose predecessors, are missing. */
  readonly incompleteMessages: number;
  /** Bytes of incoming messages begun and not yet taken by the application. */
  readonly receiveHeldBytes: number;
}

/** Counted per endpoint: what came in and was of no connection. */
export interface EndpointCounters {
  datagramsReceived: number;
  /** Too short, of no known type, damaged, of a foreign key, or of another magic. */
  datagramsDropped: number;
  retriesSent: number;
  refusesSent: number;
  resetsSent: number;
}
