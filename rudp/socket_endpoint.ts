/** I/O: runs an endpoint, or anything of its shape, on a UDP socket. */

import type { Socket } from 'node:dgram';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DgramAsPromised, type SocketAsPromised } from 'dgram-as-promised';
import { RudpError } from './errors.ts';
import { adviceOn, raiseBuffers } from './socket_buffers.ts';
import type { Transmit } from './endpoint_event.ts';
import type { Millis } from './millis.ts';

/** What a socket drives: `Endpoint` and `PeerLinks` are such. */
export interface DatagramCore<Event> {
  handleDatagram(from: string, datagram: Uint8Array, now: Millis): void;
  handleTimeout(now: Millis): void;
  nextTimeout(): Millis | undefined;
  pollTransmit(now: Millis): Transmit | undefined;
  pollEvent(): Event | undefined;
}

/** Somebody between a socket and what it drives, who may hold datagrams back, change or add some. */
export interface Interceptor {
  /** Called once, before any datagram: how those it has taken go on. */
  attach(socket: SocketSide): void;
  /** True if it has taken a datagram that is to be sent; the bytes are only lent to it. */
  outgoing(to: string, bytes: Uint8Array): boolean;
  /** True if it has taken a datagram that has come. */
  incoming(from: string, bytes: Uint8Array): boolean;
}

/** What an interceptor gets to see of a socket. */
export interface SocketSide {
  send(to: string, bytes: Uint8Array): void;
  receive(from: string, bytes: Uint8Array): void;
}

export interface SocketOptions<Event> {
  /** The kernel has granted smaller buffers than were asked for; told once, with what to do. */
  readonly onSmallBuffers?: ((advice: string) => void) | undefined;
  /** An IPv4 address; default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Called for every event, one loop turn's events in a row; what it sends goes out with them. */
  readonly onEvent: (event: Event) => void;
  /** A socket that fails otherwise than by losing a datagram; default: the error is thrown. */
  readonly onError?: (error: Error) => void;
  readonly interceptor?: Interceptor | undefined;
}

/**
 * A datagram that comes sooner after the last flush lay in the socket already: it is one of a burst,
 * which is handled as a whole at the end of the loop's turn.
 */
const BURST_GAP_MS: Millis = 0.015;
/** Datagrams sent before the socket is read again. */
const SENDS_PER_TURN = 64;
/** A socket that is closed sends what is left in so many turns at most. */
const CLOSING_TURNS = 1_000;
/** Parsed addresses that are kept; beyond them the memory starts anew. */
const MAX_DESTINATIONS = 10_000;
/** Node's timers cannot be set further ahead. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Addresses are numbers here already; Node's own look-up would defer every send by a tick. */
const noLookup = (
  host: string,
  _family: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => {
  callback(null, host, 4);
};

/** Splits "127.0.0.1:4000". */
const parseAddress = (address: string): { readonly host: string; readonly port: number } => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
};

export class SocketEndpoint<Event> {
  readonly core: DatagramCore<Event>;
  readonly #promised: SocketAsPromised;
  readonly #socket: Socket;
  readonly #options: SocketOptions<Event>;
  readonly #destinations = new Map<string, { readonly host: string; readonly port: number }>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt: Millis = Number.POSITIVE_INFINITY;
  #flushPlanned = false;
  #closed = false;
  #closing = false;
  /** When the last flush had sent everything. */
  #busyUntil: Millis = Number.NEGATIVE_INFINITY;
  #lastSender = { host: '', port: 0, address: '' };
  /** Datagrams to an address that cannot be; what the kernel does not take is lost uncounted. */
  sendErrors = 0;

  /** Binds a socket and starts to drive `core` by it. @throws what the bind throws. */
  static async bind<Event>(
    core: DatagramCore<Event>,
    options: SocketOptions<Event>,
  ): Promise<SocketEndpoint<Event>> {
    const promised = DgramAsPromised.createSocket({
      type: 'udp4',
      lookup: noLookup,
    });
    const { host = '127.0.0.1', port = 0 } = options;
    await promised.bind({ address: host, port });
    const advice = adviceOn(raiseBuffers(promised.socket));
    if (advice !== undefined) options.onSmallBuffers?.(advice);
    return new SocketEndpoint(core, promised, options);
  }

  private constructor(
    core: DatagramCore<Event>,
    promised: SocketAsPromised,
    options: SocketOptions<Event>,
  ) {
    this.core = core;
    this.#promised = promised;
    this.#socket = promised.socket;
    this.#options = options;
    options.interceptor?.attach({
      send: (to, bytes) => {
        if (!this.#closed) this.#sendNow({ to, bytes });
      },
      receive: (from, bytes) => {
        if (!this.#closed) this.#receive(from, bytes);
      },
    });
    this.#socket.on('message', (bytes, { address, port }) => {
      const from = this.#senderOf(address, port);
      if (options.interceptor?.incoming(from, bytes) !== true) this.#receive(from, bytes);
    });
    this.#socket.on('error', (error) => {
      this.#fail(error);
    });
  }

  #receive(from: string, bytes: Uint8Array): void {
    const now = this.now();
    this.core.handleDatagram(from, bytes, now);
    if (now - this.#busyUntil < BURST_GAP_MS) {
      this.wake();
    } else if (!this.#flushPlanned && !this.#closed) {
      // It came alone, so it is answered at once: to wait for others would cost a turn of the loop.
      this.#flushPlanned = true;
      this.#settle();
    }
  }

  #fail(error: Error): void {
    if (this.#options.onError === undefined) throw error;
    this.#options.onError(error);
  }

  /** The clock that all times of the core are read from: monotonic, in milliseconds. */
  now(): Millis {
    return performance.now();
  }

  /** Where the socket is bound, "127.0.0.1:4000". */
  get address(): string {
    const { address, port } = this.#socket.address();
    return `${address}:${port}`;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  #senderOf(host: string, port: number): string {
    const last = this.#lastSender;
    if (last.port !== port || last.host !== host) {
      this.#lastSender = { host, port, address: `${host}:${port}` };
    }
    return this.#lastSender.address;
  }

  /** To be called after any call of the core's own methods: what they queued goes out this turn. */
  wake(): void {
    if (this.#flushPlanned || this.#closed) return;
    this.#flushPlanned = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    if (this.#closed) return;
    const now = this.now();
    if ((this.core.nextTimeout() ?? Number.POSITIVE_INFINITY) <= now) this.core.handleTimeout(now);
    this.#settle();
  };

  /** Whatever an application throws here, what is to be sent still goes out. */
  #settle(): void {
    try {
      this.#drainEvents();
    } finally {
      queueMicrotask(this.#afterPromises);
    }
  }

  /** A tick that is asked for by a promise comes when no promise is left that could go on. */
  readonly #afterPromises = (): void => {
    process.nextTick(this.#transmit);
  };

  /** What the application has answered by now goes out in one packet with the acknowledgement. */
  readonly #transmit = (): void => {
    this.#flushPlanned = false;
    if (this.#closed) return;
    try {
      this.#drainEvents();
    } finally {
      if (!this.#isClosed()) this.#transmitAll();
    }
  };

  #transmitAll(): void {
    if (!this.#drainTransmits(this.now())) this.wake();
    this.#armTimer();
    this.#busyUntil = this.now();
  }

  /** Whoever takes an event may close the socket. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #drainEvents(): void {
    for (let event = this.core.pollEvent(); event !== undefined; event = this.core.pollEvent()) {
      this.#options.onEvent(event);
    }
  }

  /** False if there is more than goes out in one turn. */
  #drainTransmits(now: Millis): boolean {
    for (let sends = 0; sends < SENDS_PER_TURN; sends += 1) {
      // A datagram that waits in user space would be overwritten by the next one.
      if (this.#socket.getSendQueueCount() > 0) break;
      const transmit = this.core.pollTransmit(now);
      if (transmit === undefined) return true;
      this.#send(transmit);
    }
    return false;
  }

  #send(transmit: Transmit): void {
    if (this.#options.interceptor?.outgoing(transmit.to, transmit.bytes) === true) return;
    this.#sendNow(transmit);
  }

  #sendNow({ to, bytes }: Transmit): void {
    let destination = this.#destinations.get(to);
    if (destination === undefined) {
      if (this.#destinations.size >= MAX_DESTINATIONS) this.#destinations.clear();
      destination = parseAddress(to);
      this.#destinations.set(to, destination);
    }
    try {
      this.#socket.send(bytes, destination.port, destination.host);
    } catch (error) {
      // An impossible port or host: the dial to it will time out.
      this.sendErrors += 1;
      if (!(error instanceof Error)) throw error;
    }
  }

  #armTimer(): void {
    const at = this.core.nextTimeout() ?? Number.POSITIVE_INFINITY;
    // A timer that fires too early only looks again; so a later deadline costs no new timer.
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const delayMs = Math.min(Math.max(at - this.now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(this.#onTimer, delayMs);
  }

  /**
   * Node runs timers before it reads sockets. After a pause of the process the answers we waited
   * for may lie there, so time is only told to the core once they have been read.
   */
  readonly #onTimer = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.wake();
  };

  /** Sends what is queued and closes the socket. The core is not told; close its connections first. */
  async close(): Promise<void> {
    if (this.#closing) throw new RudpError('closed', 'the socket is closed already');
    this.#closing = true;
    this.#drainEvents();
    for (let turn = 0; !this.#drainTransmits(this.now()) && turn < CLOSING_TURNS; turn += 1) {
      await nextTurn();
    }
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#promised.close();
  }
}
