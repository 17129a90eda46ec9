/** What the links between named peers tell their user. */

/** The bare name of a set peer, or `name#incarnation`. */
export type PeerKey = string;

/** After an `up` of a peer come its messages, then its `down`, then perhaps its next `up`. */
export type PeerEvent =
  | {
      readonly type: 'up';
      readonly peer: PeerKey;
      readonly incarnation: number;
      readonly address: string;
    }
  | {
      readonly type: 'down';
      readonly peer: PeerKey;
      readonly reason: string;
      readonly incarnation: number;
    }
  | {
      readonly type: 'message';
      readonly peer: PeerKey;
      readonly channel: number;
      /** Belongs to the receiver. */
      readonly message: Uint8Array;
    }
  /** Somebody at `address` has none of our keys; told once a second at most. */
  | { readonly type: 'stranger'; readonly address: string; readonly reason: string };
