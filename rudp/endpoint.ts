/**
 * All connections of one UDP socket, and the handshakes that make them. Sans-I/O: the shell feeds
 * it datagrams and the time, and drains `pollTransmit` and `pollEvent` after every call.
 */

import { Connection, type ConnectionHandle, type ConnectionSink } from './connection.ts';
import { ConnectionTable } from './connection_table.ts';
import { COOKIES_ALONE, createDial, followRetry, noAnswerFrom } from './dial.ts';
import { readWelcome, seedOf } from './dial.ts';
import type { Dial } from './dial.ts';
import { DialTable } from './dial_table.ts';
import { FOREIGN_HELLO, readHello, writeWelcome } from './acceptance.ts';
import { CLOSE, RudpError, type CloseReason } from './errors.ts';
import type { EndpointEvent, Transmit } from './endpoint_event.ts';
import { Fifo } from './fifo.ts';
import { VERSION } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';
import { Schedule } from './schedule.ts';
import { resolveOptions, type EndpointOptions, type ResolvedOptions } from './options.ts';
import {
  connectionIdOf,
  decodeHello,
  newConnectionId,
  PACKET,
  PREFIX_BYTES,
  type ConnectionId,
  type Hello,
} from './packet_codec.ts';
import type { SendOptions } from './send_options.ts';
import { StatelessAnswers } from './stateless.ts';
import { Strangers } from './strangers.ts';
import type { ConnectionStats, EndpointCounters } from './stats.ts';

export type { EndpointEvent, Peer, Transmit } from './endpoint_event.ts';

export class Endpoint {
  readonly options: ResolvedOptions;
  readonly counters: EndpointCounters = {
    datagramsReceived: 0,
    datagramsDropped: 0,
    retriesSent: 0,
    refusesSent: 0,
    resetsSent: 0,
  };
  readonly #stateless: StatelessAnswers;
  readonly #table = new ConnectionTable();
  readonly #dials = new DialTable();
  readonly #events = new Fifo<EndpointEvent>();
  readonly #strangers = new Strangers(this.#events);
  readonly #schedule = new Schedule();
  readonly #sink: ConnectionSink;
  #nextHandle = 1;
  #now: Millis = 0;

  /** @throws RudpError 'invalid' for options out of their range. */
  constructor(options: EndpointOptions) {
    this.options = resolveOptions(options);
    const { protection, name } = this.options;
    this.#stateless = new StatelessAnswers(protection, name, this.counters);
    this.#sink = {
      confirmed: (connection) => {
        this.#connected(connection);
      },
      message: ({ handle }, channel, message) => {
        this.#events.push({ type: 'message', connection: handle, channel, message });
      },
      settled: ({ handle }, ticket, outcome) => {
        this.#events.push({ type: 'settled', connection: handle, ticket, outcome });
      },
      moved: (connection, from) => {
        this.#events.push(this.#table.move(connection, from));
      },
      closed: (connection, by) => {
        this.#closed(connection, by);
      },
    };
  }

  /**
   * Starts a handshake with whoever listens at `address`; `connected` or `closed` tells its end.
   * @throws RudpError 'refused' if there are `maxConnections` already.
   */
  connect(address: string, now: Millis): ConnectionHandle {
    if (this.#isFull()) {
      throw new RudpError('refused', `all ${this.options.maxConnections} connections are in use`);
    }
    const dial = createDial(this.#nextHandle++, address, this.#newId(), this.options, now);
    this.#dials.add(dial);
    return dial.handle;
  }

  /**
   * Queues a message. The bytes belong to the endpoint from here on: they are sent, and sent again,
   * from where they lie, so the caller must not change them. Answers the ticket of a tracked message,
   * else 0.
   * @throws RudpError 'buffer-full' (a `drain` event follows), 'too-large', 'not-connected',
   *   'invalid', or 'closed', which can come before the `closed` event has been read.
   */
  send(handle: ConnectionHandle, message: Uint8Array, options: SendOptions, now: Millis): number {
    const found = this.#table.byHandle.get(handle);
    if (found === undefined) throw this.#noConnection(handle);
    const ticket = found.send(message, options, now);
    this.#schedule.standInLine(found);
    return ticket;
  }

  /**
   * Gives up a tracked message, of which no more is sent. False if its fate is known already; else a
   * `settled` event follows.
   */
  cancel(connection: ConnectionHandle, ticket: number): boolean {
    const found = this.#table.byHandle.get(connection);
    if (found?.cancel(ticket) !== true) return false;
    this.#afterInput(found);
    return true;
  }

  #noConnection(handle: ConnectionHandle): RudpError {
    return this.#dials.byHandle(handle) !== undefined
      ? new RudpError('not-connected', `connection ${handle} is still in its handshake`)
      : new RudpError('closed', `connection ${handle} is closed`);
  }

  /**
   * Closes at once: what the peer has not acknowledged is dropped. Codes from 0x100 on are the
   * application's. Does nothing on a closed connection.
   */
  close(connection: ConnectionHandle, code: number, reason: string, now: Millis): void {
    const dial = this.#dials.byHandle(connection);
    if (dial !== undefined) this.#endDial(dial, { code, reason });
    const found = this.#table.byHandle.get(connection);
    if (found === undefined) return;
    found.close({ code, reason }, now);
    this.#schedule.standInLine(found);
  }

  /** Takes a datagram, whatever its bytes, which nobody may change afterwards. */
  handleDatagram(from: string, datagram: Uint8Array, now: Millis): void {
    this.#now = now;
    this.counters.datagramsReceived += 1;
    const id = datagram.length < PREFIX_BYTES ? 0 : connectionIdOf(datagram);
    if (id === 0) {
      this.#drop();
      return;
    }
    const type: number = datagram[0] ?? 0;
    switch (type) {
      case PACKET.data:
      case PACKET.dataOddPhase:
      case PACKET.piece:
      case PACKET.pieceOddPhase:
        this.#handleData(from, datagram, id, type >= PACKET.piece, now);
        break;
      case PACKET.hello:
        this.#handleHello(from, datagram, now);
        break;
      case PACKET.welcome:
        this.#handleWelcome(from, datagram, id, now);
        break;
      case PACKET.retry: {
        const dial = this.#dials.to(from, id);
        if (dial === undefined) this.#drop();
        else followRetry(dial, datagram, now);
        break;
      }
      case PACKET.refuse:
        this.#handleRefuse(from, datagram, id);
        break;
      case PACKET.reset:
        this.#handleReset(from, datagram, id);
        break;
      default:
        this.#drop();
    }
  }

  #drop(): void {
    this.counters.datagramsDropped += 1;
  }

  #handleData(
    from: string,
    datagram: Uint8Array,
    id: ConnectionId,
    isPiece: boolean,
    now: Millis,
  ): void {
    const connection = this.#table.byLocalId.get(id);
    if (connection === undefined) {
      this.#drop();
      this.#stateless.reset(from, id, datagram.length, now);
      return;
    }
    if (isPiece) connection.handlePiece(from, datagram, now);
    else connection.handleDatagram(from, datagram, now);
    this.#afterInput(connection);
  }

  #handleHello(from: string, datagram: Uint8Array, now: Millis): void {
    const hello = decodeHello(datagram);
    if (hello === undefined) {
      this.#drop();
    } else if (hello.version !== VERSION) {
      this.#stateless.refuse(from, hello.clientId, CLOSE.versionMismatch, hello.version, now);
    } else if (!this.#stateless.isOurCookie(hello.cookie, from, hello.clientId, now)) {
      this.#stateless.retry(from, hello.clientId, now);
    } else {
      const welcome = this.#table.welcomeFor(from, hello.clientId);
      if (welcome === undefined) this.#accept(from, hello, now);
      else this.#stateless.welcome(from, welcome);
    }
  }

  /** The client is where it says it is: from here on it may cost memory. */
  #accept(from: string, hello: Hello, now: Millis): void {
    const { clientId } = hello;
    if (this.#table.halfOpen >= this.options.maxHalfOpen) {
      // The client says hello again; who replays somebody's hello gets no further than here.
      this.#drop();
      return;
    }
    const handshake = this.options.protection.responder();
    const peer = readHello(hello, handshake, this.options.clusterId);
    if (peer === undefined) {
      this.#drop();
      this.#strangers.tell(from, FOREIGN_HELLO, now);
      return;
    }
    if (!this.options.accept || this.#isFull()) {
      this.#stateless.refuse(from, clientId, CLOSE.refused, hello.version, now);
      return;
    }
    const localId = this.#newId();
    const welcome = writeWelcome(clientId, localId, handshake, this.options);
    const connection = new Connection(
      {
        handle: this.#nextHandle++,
        address: from,
        initiator: false,
        localId,
        remoteId: clientId,
        peer,
        protection: handshake.packets(),
        losses: this.#table.losses,
      },
      this.options,
      this.#sink,
      now,
    );
    this.#table.add(connection);
    this.#schedule.noteTimeout(connection);
    this.#table.rememberWelcome(connection, welcome);
    this.#stateless.welcome(from, welcome);
  }

  #handleWelcome(from: string, datagram: Uint8Array, id: ConnectionId, now: Millis): void {
    const dial = this.#dials.to(from, id);
    const answer = dial && readWelcome(dial, datagram);
    if (dial === undefined || answer === undefined) {
      this.#drop();
      return;
    }
    this.#dials.remove(dial);
    const seed = seedOf(dial, answer, this.#table.losses, now);
    const connection = new Connection(seed, this.options, this.#sink, now);
    if (dial.onlyHelloAt <= now) connection.sampleRtt(now - dial.onlyHelloAt, now);
    this.#table.add(connection);
    this.#connected(connection);
    this.#schedule.standInLine(connection);
  }

  #handleRefuse(from: string, datagram: Uint8Array, id: ConnectionId): void {
    const dial = this.#dials.to(from, id);
    const why = dial && this.#stateless.readRefuse(datagram);
    if (dial === undefined || why === undefined) this.#drop();
    else this.#endDial(dial, why);
  }

  #handleReset(from: string, datagram: Uint8Array, remoteId: ConnectionId): void {
    const connection = this.#table.byRemoteId(from, remoteId);
    if (
      connection === undefined ||
      !this.#stateless.isReset(datagram, remoteId, connection.peer.name)
    ) {
      this.#drop();
      return;
    }
    const reason = 'the peer does not know the connection any more';
    connection.abandon({ code: CLOSE.reset, reason }, this.#now);
    this.#afterInput(connection);
  }

  #connected(connection: Connection): void {
    const { handle, address, initiator, peer } = connection;
    for (const old of this.#table.olderLives(connection, this.options.supersede)) {
      const reason = `superseded by incarnation ${peer.incarnation} of ${peer.name}`;
      old.close({ code: CLOSE.superseded, reason }, this.#now);
      this.#schedule.standInLine(old);
    }
    this.#table.announce(connection);
    const who = { name: peer.name, incarnation: peer.incarnation };
    this.#events.push({ type: 'connected', connection: handle, address, peer: who, initiator });
  }

  #closed(connection: Connection, by: CloseReason): void {
    if (!this.#table.retire(connection)) return;
    this.#events.push({ type: 'closed', connection: connection.handle, ...by });
  }

  #endDial(dial: Dial, by: CloseReason): void {
    this.#dials.remove(dial);
    this.#events.push({ type: 'closed', connection: dial.handle, ...by });
  }

  /** Accepted clients that have not confirmed yet. */
  get halfOpen(): number {
    return this.#table.halfOpen;
  }

  #isFull(): boolean {
    return this.#dials.size + this.#table.byLocalId.size >= this.options.maxConnections;
  }

  #newId(): ConnectionId {
    const id = newConnectionId(this.options.random);
    return this.#table.byLocalId.has(id) || this.#dials.hasLocalId(id) ? this.#newId() : id;
  }

  #afterInput(connection: Connection): void {
    if (connection.takeDrain()) {
      this.#events.push({ type: 'drain', connection: connection.handle });
    }
    if (connection.state.tag === 'gone') this.#table.remove(connection);
    else this.#schedule.standInLine(connection);
  }

  /** Does what is due. */
  handleTimeout(now: Millis): void {
    this.#now = now;
    for (const dial of this.#dials.expired(now)) {
      const { address } = dial;
      if (dial.retriesFollowed > 0) this.#strangers.tell(address, COOKIES_ALONE, now);
      this.#endDial(dial, { code: CLOSE.handshakeTimeout, reason: noAnswerFrom(dial) });
    }
    if (!this.#schedule.takeDue(now)) return;
    for (const connection of [...this.#table.byLocalId.values()]) {
      if (connection.nextTimeout() <= now) {
        connection.handleTimeout(now);
        this.#afterInput(connection);
      }
      this.#schedule.noteTimeout(connection);
    }
  }

  /** When `handleTimeout` and `pollTransmit` are to be called next, or a little early; undefined if never. */
  nextTimeout(): Millis | undefined {
    const next = Math.min(this.#dials.nextTimeout(), this.#schedule.nextTimeout());
    return next === NEVER ? undefined : next;
  }

  /** The next datagram to send; undefined if there is none now. */
  pollTransmit(now: Millis): Transmit | undefined {
    const answer = this.#stateless.poll();
    if (answer !== undefined) return answer;
    const hello = this.#dials.nextHello(now);
    if (hello !== undefined) return hello;
    return this.#schedule.pollTransmit(now);
  }

  /** The next event; taking a message gives the peer its credit back (but see `release`). */
  pollEvent(): EndpointEvent | undefined {
    const event = this.#events.shift();
    if (event?.type === 'message' && this.options.credit === 'poll') {
      this.release(event.connection, event.message.length);
    }
    return event;
  }

  /** Under the option `credit: 'release'`: a message of `bytes` is done with. */
  release(connection: ConnectionHandle, bytes: number): void {
    const found = this.#table.byHandle.get(connection);
    found?.consume(bytes);
    if (found?.creditDue) this.#schedule.standInLine(found);
  }

  /** @throws RudpError 'closed' or 'not-connected'. */
  stats(connection: ConnectionHandle): ConnectionStats {
    const found = this.#table.byHandle.get(connection);
    if (found === undefined) throw this.#noConnection(connection);
    return found.stats();
  }
}
