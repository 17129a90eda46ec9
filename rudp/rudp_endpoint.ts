/** I/O: rudp for applications that want nothing but reliable messages: bind, connect, accept. */

import { randomBytes } from 'node:crypto';
import type { ConnectionHandle } from './connection.ts';
import { Endpoint, type EndpointEvent } from './endpoint.ts';
import { CLOSE, RudpError } from './errors.ts';
import { Fifo } from './fifo.ts';
import { interfaceDatagramBytes } from './interface_mtu.ts';
import type { EndpointOptions } from './options.ts';
import type { Driver } from './message_sender.ts';
import { QlogFiles } from './qlog_files.ts';
import { RudpConnection } from './rudp_connection.ts';
import { createProtection, type Security } from './security.ts';
import { SocketEndpoint } from './socket_endpoint.ts';

export interface BindOptions extends Omit<
  Partial<EndpointOptions>,
  'credit' | 'random' | 'protection' | 'observe'
> {
  /** An IPv4 address; default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** The key that both sides share: 32 bytes. Exactly one of `key`, `keys`, `insecure` is given. */
  readonly key?: Uint8Array;
  /** Several keys: the first is used, all are accepted. */
  readonly keys?: readonly Uint8Array[];
  /** Plain packets with a checksum, which keep nobody out: for benchmarks alone. */
  readonly insecure?: boolean;
  /** Somebody without one of our keys has tried to connect, or answered us; once a second at most. */
  readonly onStranger?: (address: string, reason: string) => void;
  /** The kernel has granted smaller socket buffers than were asked for; told once, with what to do. */
  readonly onSmallBuffers?: (advice: string) => void;
  /** A folder for a qlog file of every connection; made if there is none. Default: none are written. */
  readonly qlogDir?: string;
  /** The qlog files have ended because of an error, told once. Default: a warning of the process. */
  readonly onQlogError?: (error: Error) => void;
}

const RANDOM_BATCH = 64;
/** Connections that wait for `accept`; a further one is closed. */
const MAX_UNACCEPTED = 1024;

const securityOf = (
  key: Uint8Array | undefined,
  keys: readonly Uint8Array[] | undefined,
  insecure: boolean | undefined,
): Security => {
  const given = [key, keys, insecure === true ? insecure : undefined];
  if (given.filter((each) => each !== undefined).length !== 1) {
    throw new RudpError('invalid', 'give exactly one of key, keys and insecure: true');
  }
  if (insecure === true) return { insecure };
  return { keys: key === undefined ? (keys ?? []) : [key] };
};

/** Unpredictable numbers in [0, 1), as connection ids need them. */
export const createSecureRandom = (): (() => number) => {
  let batch = new Uint32Array(0);
  let used = 0;
  return () => {
    if (used === batch.length) {
      batch = new Uint32Array(new Uint8Array(randomBytes(4 * RANDOM_BATCH)).buffer);
      used = 0;
    }
    return (batch[used++] ?? 0) / 0x1_0000_0000;
  };
};

export class RudpEndpoint implements AsyncIterable<RudpConnection>, Driver {
  readonly endpoint: Endpoint;
  #socket!: SocketEndpoint<EndpointEvent>;
  readonly #connections = new Map<ConnectionHandle, RudpConnection>();
  readonly #dials = new Map<
    ConnectionHandle,
    { resolve: (connection: RudpConnection) => void; reject: (error: Error) => void }
  >();
  readonly #accepted = new Fifo<RudpConnection>();
  readonly #acceptors = new Fifo<(connection: RudpConnection | undefined) => void>();
  readonly #onStranger: (address: string, reason: string) => void;
  readonly #qlog: QlogFiles | undefined;
  #closed = false;

  /** @throws RudpError 'invalid', or what binding the socket throws. */
  static async bind(options: BindOptions): Promise<RudpEndpoint> {
    const {
      host,
      port,
      key,
      keys,
      insecure,
      onStranger,
      onSmallBuffers,
      qlogDir,
      onQlogError,
      ...rest
    } = options;
    const qlog =
      qlogDir === undefined ? undefined : new QlogFiles(qlogDir, { onError: onQlogError });
    const self = new RudpEndpoint(
      {
        name: '',
        incarnation: Date.now(),
        interfaceDatagramBytes,
        ...rest,
        protection: createProtection(securityOf(key, keys, insecure)),
        random: createSecureRandom(),
        credit: 'release',
        observe: qlog?.observe,
      },
      onStranger,
      qlog,
    );
    self.#socket = await SocketEndpoint.bind(self.endpoint, {
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port }),
      onSmallBuffers,
      onEvent: (event) => {
        self.#handle(event);
      },
    });
    return self;
  }

  private constructor(
    options: EndpointOptions,
    onStranger: BindOptions['onStranger'],
    qlog: QlogFiles | undefined,
  ) {
    this.endpoint = new Endpoint(options);
    this.#onStranger = onStranger ?? (() => undefined);
    this.#qlog = qlog;
  }

  get address(): string {
    return this.#socket.address;
  }

  get port(): number {
    return this.#socket.port;
  }

  now(): number {
    return this.#socket.now();
  }

  wake(): void {
    this.#socket.wake();
  }

  /**
   * Connects to the endpoint at an IPv4 address.
   * @throws RudpError 'refused' if no connection comes about.
   */
  async connect(host: string, port: number): Promise<RudpConnection> {
    const handle = this.endpoint.connect(`${host}:${port}`, this.now());
    this.wake();
    return new Promise((resolve, reject) => {
      this.#dials.set(handle, { resolve, reject });
    });
  }

  /** The next connection that a peer has made; undefined once the endpoint is closed. */
  async accept(): Promise<RudpConnection | undefined> {
    const next = this.#accepted.shift();
    if (next !== undefined || this.#closed) return next;
    return new Promise((resolve) => {
      this.#acceptors.push(resolve);
    });
  }

  /** The connections that peers make. */
  async *[Symbol.asyncIterator](): AsyncIterator<RudpConnection> {
    for (let next = await this.accept(); next !== undefined; next = await this.accept()) yield next;
  }

  #handle(event: EndpointEvent): void {
    switch (event.type) {
      case 'connected':
        this.#connected(event);
        break;
      case 'message':
        this.#connections.get(event.connection)?.deliver(event);
        break;
      case 'moved':
        this.#connections.get(event.connection)?.moveTo(event.address);
        break;
      case 'drain':
        this.#connections.get(event.connection)?.drain();
        break;
      case 'settled':
        this.#connections.get(event.connection)?.settled(event.ticket, event.outcome);
        break;
      case 'stranger':
        this.#onStranger(event.address, event.reason);
        break;
      case 'closed': {
        const { code, reason } = event;
        this.#connections.get(event.connection)?.finish({ code, reason });
        this.#connections.delete(event.connection);
        this.#dials.get(event.connection)?.reject(new RudpError('refused', reason));
        this.#dials.delete(event.connection);
        break;
      }
      default:
        event satisfies never;
    }
  }

  #connected(event: Extract<EndpointEvent, { type: 'connected' }>): void {
    const connection = new RudpConnection(this, event);
    this.#connections.set(event.connection, connection);
    const dial = this.#dials.get(event.connection);
    if (dial !== undefined) {
      this.#dials.delete(event.connection);
      dial.resolve(connection);
      return;
    }
    const acceptor = this.#acceptors.shift();
    if (acceptor !== undefined) acceptor(connection);
    else if (this.#accepted.length < MAX_UNACCEPTED) this.#accepted.push(connection);
    else this.endpoint.close(event.connection, CLOSE.refused, 'nobody accepts', this.now());
  }

  /** Closes every connection once it is acknowledged (see `RudpConnection.close`), then the socket. */
  async close(flushMs?: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const open = [...this.#connections.values()];
    await Promise.all(open.map((each) => each.close(CLOSE.none, 'endpoint closed', flushMs)));
    for (const handle of this.#dials.keys()) {
      this.endpoint.close(handle, CLOSE.none, 'endpoint closed', this.now());
    }
    for (let next = this.#acceptors.shift(); next; next = this.#acceptors.shift()) next(undefined);
    await this.#socket.close();
    await this.#qlog?.close();
  }
}
