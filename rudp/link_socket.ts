/** I/O: the links of one named node to others, on a UDP socket of its own. */

import { Endpoint } from './endpoint.ts';
import { interfaceDatagramBytes } from './interface_mtu.ts';
import { PeerLinks, type DialPolicy, type PeerEvent, type PeerKey } from './peer_links.ts';
import { QlogFiles } from './qlog_files.ts';
import { createSecureRandom } from './rudp_endpoint.ts';
import type { Priority } from './priorities.ts';
import { createProtection, type Security } from './security.ts';
import { SocketEndpoint, type Interceptor } from './socket_endpoint.ts';

export interface LinkSocketOptions {
  readonly name: string;
  /** Differs in every life of the node; a later life has a higher one. */
  readonly incarnation: number;
  readonly security: Security;
  readonly host: string;
  readonly port: number;
  readonly onEvent: (event: PeerEvent) => void;
  readonly onError: (error: Error) => void;
  /** As of `SocketOptions`. */
  readonly onSmallBuffers?: (advice: string) => void;
  /** A folder for a qlog file of every connection; none are written without it. */
  readonly qlogDir?: string | undefined;
  /** The qlog files have ended because of an error; told once. */
  readonly onQlogError?: (error: Error) => void;
  readonly interceptor?: Interceptor | undefined;
}

const CLOSE_CODE = 0;

export class LinkSocket {
  readonly links: PeerLinks;
  readonly #socket: SocketEndpoint<PeerEvent>;
  readonly #qlog: QlogFiles | undefined;

  /** @throws RudpError 'invalid' for wrong keys; what binding the socket throws, EADDRINUSE for one. */
  static async bind(options: LinkSocketOptions): Promise<LinkSocket> {
    const { name, incarnation, security, host, port, onEvent, onError, interceptor } = options;
    const { qlogDir, onSmallBuffers } = options;
    const qlog =
      qlogDir === undefined ? undefined : new QlogFiles(qlogDir, { onError: options.onQlogError });
    const endpoint = new Endpoint({
      name,
      incarnation,
      interfaceDatagramBytes,
      protection: createProtection(security),
      random: createSecureRandom(),
      observe: qlog?.observe,
    });
    const links = new PeerLinks(endpoint, name);
    return new LinkSocket(
      links,
      await SocketEndpoint.bind(links, {
        host,
        port,
        onEvent,
        onError,
        onSmallBuffers,
        interceptor,
      }),
      qlog,
    );
  }

  private constructor(
    links: PeerLinks,
    socket: SocketEndpoint<PeerEvent>,
    qlog: QlogFiles | undefined,
  ) {
    this.links = links;
    this.#socket = socket;
    this.#qlog = qlog;
  }

  /** Where the socket is bound, "127.0.0.1:4000". */
  get address(): string {
    return this.#socket.address;
  }

  get port(): number {
    return this.#socket.port;
  }

  /** False if the peer is not known, or its queue is full. */
  send(peer: PeerKey, channel: number, message: Uint8Array, priority?: Priority): boolean {
    const taken = this.links.send(peer, channel, message, this.#socket.now(), priority);
    this.#socket.wake();
    return taken;
  }

  setPeer(name: string, address: string, dial: DialPolicy, incarnation?: number): void {
    this.links.setPeer(name, address, dial, incarnation);
    this.#socket.wake();
  }

  removePeer(name: string): void {
    this.links.removePeer(name, this.#socket.now());
    this.#socket.wake();
  }

  /** Ends the link to a peer, both sides of which hear of it. */
  cut(peer: PeerKey, reason: string): void {
    this.links.cut(peer, reason, this.#socket.now());
    this.#socket.wake();
  }

  /** Tells every peer, then closes the socket. */
  async close(reason: string): Promise<void> {
    this.links.closeAll(CLOSE_CODE, reason, this.#socket.now());
    await this.#socket.close();
    await this.#qlog?.close();
  }
}
