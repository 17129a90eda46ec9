/**
 * I/O: what every transport offers to the measurements. A module of this shape is a peer: those in `peers/`
 * here and in bench/transports/, or any file that `--peers` of `npm run bench:rudp` names.
 */

/** Answers a request; undefined for a message that wants no answer. */
export type OnRequest = (body: Buffer) => Buffer | Promise<Buffer> | undefined;

export interface PeerConnection {
  /** Resolves with the response to this request. */
  request(body: Buffer): Promise<Buffer>;
  /** One way; a promise is to be awaited before more is sent. */
  send(body: Buffer): Promise<unknown> | undefined;
  close(): unknown;
  /** What this side has sent again so far, if the transport can say. */
  repeats?(): Repeats | Promise<Repeats>;
}

/** In packets. */
export interface Repeats {
  readonly sent: number;
  /** Sent again (TCP), or declared lost (rudp, which sends anew what they held). */
  readonly repeated: number;
  /** Of these, those whose first one had arrived. */
  readonly spurious: number;
}

export interface PeerModule {
  /** Takes connections at a port of all addresses of this machine. */
  listen(port: number, onRequest: OnRequest): Promise<unknown>;
  connect(host: string, port: number): Promise<PeerConnection>;
}

/** The receive and send buffers of each UDP socket, as far as the machine allows. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
