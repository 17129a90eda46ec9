/** What goes out of an endpoint: events for its user, datagrams for its socket. */

import type { ConnectionHandle } from './connection.ts';
import type { Outcome } from './send_options.ts';

export interface Peer {
  readonly name: string;
  readonly incarnation: number;
}

/**
 * What an endpoint tells its user. A handle that `connect` gave, or that a `connected` event
 * brought, ends in exactly one `closed` event and is dead from then on.
 */
export type EndpointEvent =
  | {
      readonly type: 'connected';
      readonly connection: ConnectionHandle;
      readonly address: string;
      readonly peer: Peer;
      readonly initiator: boolean;
    }
  | {
      readonly type: 'message';
      readonly connection: ConnectionHandle;
      readonly channel: number;
      /** Belongs to the receiver. */
      readonly message: Uint8Array;
    }
  /** The peer has shown that it is at another address now; the connection goes on. */
  | { readonly type: 'moved'; readonly connection: ConnectionHandle; readonly address: string }
  /** After a refused `send`: the send buffer is half empty, and there is a channel to be had. */
  | { readonly type: 'drain'; readonly connection: ConnectionHandle }
  /** The fate of a tracked message; there is none of those that a `closed` event came before. */
  | {
      readonly type: 'settled';
      readonly connection: ConnectionHandle;
      readonly ticket: number;
      readonly outcome: Outcome;
    }
  /** Told once a second at most, however many there are. */
  | { readonly type: 'stranger'; readonly address: string; readonly reason: string }
  | {
      readonly type: 'closed';
      readonly connection: ConnectionHandle;
      readonly code: number;
      readonly reason: string;
    };

/** A datagram to send; `bytes` is overwritten by the next call of `pollTransmit`. */
export interface Transmit {
  readonly to: string;
  readonly bytes: Uint8Array;
}
