/**
 * What keeps packets whole and, in a keyed implementation, secret. The core only knows these
 * interfaces; they are synchronous, and they may hold key state but never touch the network.
 */

/** Protects the packets of one connection. */
export interface PacketProtection {
  /** The bytes that `seal` adds to a packet. */
  readonly overhead: number;
  /** How often the keys of what we send have changed; it also rises when the peer's change. */
  readonly generation: number;
  /** Changes the keys of what is sent from here on; see `KeyUpdate` for when that is allowed. */
  update(): void;
  /**
   * Protects in place the packet that lies in buffer[0 … end): its header is authenticated, the
   * bytes from `headerBytes` on are authenticated and may be encrypted; the lowest bit of the first
   * byte is the protection's own. Answers the new end, which is `end + overhead`. Packet numbers
   * rise: none is ever sealed twice.
   */
  seal(buffer: Uint8Array, headerBytes: number, end: number, packetNumber: number): number;
  /**
   * Checks a packet as it came from the network; answers its plain payload (which may be a view of
   * `datagram`), or undefined if it is damaged or not of this connection.
   */
  open(datagram: Uint8Array, headerBytes: number, packetNumber: number): Uint8Array | undefined;
}

/**
 * One side of one handshake of two messages: the initiator writes, the responder reads, writes, and
 * the initiator reads (the pattern of Noise NN).
 */
export interface HandshakeProtection {
  /**
   * Wraps `payload` into the next handshake message; `associated`, which the peer knows already, is
   * authenticated with it.
   */
  write(payload: Uint8Array, associated: Uint8Array): Uint8Array;
  /** Unwraps the next handshake message; undefined if it is damaged or under another key. */
  read(message: Uint8Array, associated: Uint8Array): Uint8Array | undefined;
  /** The protection of the connection's packets, once both messages are through. */
  packets(): PacketProtection;
}

/** The protection of one endpoint. */
export interface Protection {
  initiator(): HandshakeProtection;
  responder(): HandshakeProtection;
  /**
   * A tag of `TAG_BYTES` over `input` under the key of the cluster, for what is sent to a peer
   * without a connection: refusals, stateless resets. It must survive a restart.
   */
  readonly mac: (input: Uint8Array) => Uint8Array;
  /** True if `tag` is what a peer with one of our keys makes of `input`. */
  readonly isMac: (input: Uint8Array, tag: Uint8Array) => boolean;
  /** A tag of `TAG_BYTES` under a secret of this process alone, another one in every period. */
  readonly cookie: (input: Uint8Array, period: number) => Uint8Array;
}
