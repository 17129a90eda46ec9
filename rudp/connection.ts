/**
 * One connection after its handshake: a state machine that takes datagrams and the time, and gives
 * packets and messages (docs/rudp.md, "States"). It does no I/O and reads no clock.
 */

import {
  createParts,
  type ConnectionHandle,
  type ConnectionParts,
  type ConnectionSeed,
} from './connection_parts.ts';
import { statsOf } from './connection_stats.ts';
import { RudpError, CLOSE, type CloseReason } from './errors.ts';
import { chargeOf } from './flow_control.ts';
import { FRAME } from './frame_codec.ts';
import { handleFrames, settleLost } from './frame_handler.ts';
import type { Introduction } from './handshake_codec.ts';
import { MAX_CHANNEL } from './limits.ts';
import { Liveness } from './liveness.ts';
import { startOnNewPath } from './migration.ts';
import { NEVER, type Millis } from './millis.ts';
import type { Owner } from './observer.ts';
import type { ResolvedOptions } from './options.ts';
import { buildClose, buildPacket, buildPathPacket } from './packet_builder.ts';
import { DATA_HEADER_BYTES, packetNumberOf, type ConnectionId } from './packet_codec.ts';
import type { Outcome, SendOptions } from './send_options.ts';
import type { ConnectionStats } from './stats.ts';

export type { ConnectionHandle } from './connection_parts.ts';

export type ConnectionState =
  /** Accepted, and the client has not yet shown that it got our welcome. */
  | { readonly tag: 'accepted'; readonly until: Millis }
  | { readonly tag: 'established' }
  /** Closed by us: the peer's packets are answered by our CLOSE (RFC 9000 §10.2.1). */
  | {
      readonly tag: 'closing';
      readonly until: Millis;
      readonly by: CloseReason;
      answerPending: boolean;
      heard: number;
    }
  /** Closed by the peer: nothing is sent (§10.2.2). */
  | { readonly tag: 'draining'; readonly until: Millis }
  | { readonly tag: 'gone' };

/** What a connection tells its endpoint. */
export interface ConnectionSink {
  confirmed(connection: Connection): void;
  message(connection: Connection, channel: number, message: Uint8Array): void;
  settled(connection: Connection, ticket: number, outcome: Outcome): void;
  /** The peer was at `from` and is at `connection.address` now. */
  moved(connection: Connection, from: string): void;
  closed(connection: Connection, by: CloseReason): void;
}

/** How many probe timeouts a closed connection lingers to answer or ignore late packets. */
const LINGER_PTOS = 3;
/** Packets of one probe timeout (RFC 9002 §6.2.4). */
const PROBES_PER_PTO = 2;
/** On shorter paths, acknowledgements are better sent at once. */
const LONG_PATH_MS: Millis = 4;

export class Connection {
  readonly handle: ConnectionHandle;
  /** Where the peer is. */
  address: string;
  /** Where the packet goes that was built last. */
  destination: string;
  readonly initiator: boolean;
  readonly localId: ConnectionId;
  readonly remoteId: ConnectionId;
  readonly peer: Introduction;
  /** The endpoint has it in the line of those that may have something to send. */
  inLine = false;
  state: ConnectionState;
  readonly #seed: ConnectionSeed;
  readonly #options: ResolvedOptions;
  readonly #sink: ConnectionSink;
  readonly #parts: ConnectionParts;
  readonly #liveness: Liveness;

  constructor(seed: ConnectionSeed, options: ResolvedOptions, sink: ConnectionSink, now: Millis) {
    this.handle = seed.handle;
    this.address = seed.address;
    this.destination = seed.address;
    this.#seed = seed;
    this.#options = options;
    this.initiator = seed.initiator;
    this.localId = seed.localId;
    this.remoteId = seed.remoteId;
    this.peer = seed.peer;
    this.#sink = sink;
    this.#parts = createParts(
      seed,
      options,
      now,
      (channel, message) => {
        sink.message(this, channel, message);
      },
      (ticket, outcome) => {
        sink.settled(this, ticket, outcome);
      },
    );
    const idleTimeoutMs = Math.min(options.idleTimeoutMs, seed.peer.idleTimeoutMs);
    this.#liveness = new Liveness(idleTimeoutMs, options.keepaliveMs, now);
    this.state = seed.initiator
      ? { tag: 'established' }
      : { tag: 'accepted', until: now + options.handshakeTimeoutMs };
    // The first packet tells the server that its welcome arrived.
    this.#parts.pingPending = seed.initiator;
  }

  /** Queues a message, which belongs to the connection from here on; as `Endpoint.send`. */
  send(message: Uint8Array, options: SendOptions, now: Millis): number {
    const { channel = 0 } = options;
    if (!Number.isInteger(channel) || channel < 0 || channel > MAX_CHANNEL) {
      throw new RudpError('invalid', `channel ${channel}; channels are 0 to ${MAX_CHANNEL}`);
    }
    if (this.state.tag === 'accepted') {
      throw new RudpError('not-connected', 'the peer has not confirmed the connection yet');
    }
    if (this.state.tag !== 'established') {
      throw new RudpError('closed', `connection ${this.handle} is closed`);
    }
    const ticket = this.#parts.channels.send(channel, message, options, now);
    this.#parts.counters.messagesSent += 1;
    return ticket;
  }

  /** Gives up a tracked message; as `Endpoint.cancel`. */
  cancel(ticket: number): boolean {
    return this.state.tag === 'established' && this.#parts.channels.cancel(ticket);
  }

  /** Takes the round trip of the handshake as the first sample. */
  sampleRtt(rttMs: Millis, now: Millis): void {
    this.#parts.loss.rtt.update(rttMs, 0, now);
  }

  /** Takes a piece of a data packet that carries our connection id. */
  handlePiece(from: string, datagram: Uint8Array, now: Millis): void {
    const { acks, assembly } = this.#parts;
    if (from !== this.address || this.state.tag === 'draining' || this.state.tag === 'gone') return;
    const packetNumber = packetNumberOf(datagram, acks.largestReceived);
    if (acks.isDuplicate(packetNumber)) return;
    const packet = assembly.handle(datagram, packetNumber);
    if (packet !== undefined) this.#handlePacket(from, packet, assembly.receivedBytes, now);
  }

  /** Takes a data packet that carries our connection id. */
  handleDatagram(from: string, datagram: Uint8Array, now: Millis): void {
    this.#handlePacket(from, datagram, datagram.length, now);
  }

  #handlePacket(from: string, datagram: Uint8Array, receivedBytes: number, now: Millis): void {
    const { acks, counters, protection } = this.#parts;
    if (this.state.tag === 'draining' || this.state.tag === 'gone') return;
    const packetNumber = packetNumberOf(datagram, acks.largestReceived);
    // Before and after its life a connection does not move.
    const mayCome = from === this.address || this.state.tag === 'established';
    const payload = mayCome
      ? protection.open(datagram, DATA_HEADER_BYTES, packetNumber)
      : undefined;
    if (payload === undefined) {
      counters.corruptPackets += 1;
      return;
    }
    if (this.state.tag === 'closing') {
      this.#answerClosing(payload);
      return;
    }
    if (acks.isDuplicate(packetNumber)) {
      counters.duplicatePackets += 1;
      return;
    }
    counters.packetsReceived += 1;
    counters.bytesReceived += receivedBytes;
    this.#liveness.onHeard(now);
    if (this.state.tag === 'accepted') {
      this.state = { tag: 'established' };
      this.#sink.confirmed(this);
    }
    this.#notePath(from, packetNumber, receivedBytes, now);
    this.#parts.observer?.packetReceived(packetNumber, datagram.length, payload, now);
    const outcome = handleFrames(this.#parts, payload, now);
    switch (outcome.tag) {
      case 'done':
        acks.isLongPath = this.#parts.loss.rtt.smoothedRtt >= LONG_PATH_MS;
        acks.record(packetNumber, outcome.ackEliciting, now);
        this.#followPeer(now);
        break;
      case 'closed':
        this.#end({ tag: 'draining', until: now + this.#lingerMs() }, 'remote', outcome.by, now);
        break;
      case 'violation':
        this.close(outcome.why, now);
        break;
      default:
        outcome satisfies never;
    }
  }

  #notePath(from: string, packetNumber: number, receivedBytes: number, now: Millis): void {
    const { paths, acks } = this.#parts;
    if (!paths.arrivesFrom(from, this.address)) return;
    const isNewest = packetNumber > acks.largestReceived;
    const ptoMs = this.#ptoMs();
    const known = this.address;
    // The known address is asked, too: if the peer is still there, it does not move (§9.3.3).
    if (paths.onPacket({ from, known, packetNumber, receivedBytes, isNewest, ptoMs }, now)) {
      this.#parts.pingPending = true;
    }
  }

  /** Goes where the peer has shown that it is. */
  #followPeer(now: Millis): void {
    const validated = this.#parts.paths.takeValidated();
    if (validated === undefined) return;
    const from = this.address;
    this.address = validated.address;
    const { rttMs } = validated;
    startOnNewPath(this.#parts, this.#seed, this.#options, from, this.address, rttMs, now);
    this.#sink.moved(this, from);
  }

  /** Answers every 1st, 2nd, 4th, 8th … packet, so that two closed peers fall silent. */
  #answerClosing(payload: Uint8Array): void {
    if (this.state.tag !== 'closing') return;
    if (payload[0] === FRAME.close) {
      this.state = { tag: 'draining', until: this.state.until };
      return;
    }
    this.state.heard += 1;
    if (Number.isInteger(Math.log2(this.state.heard))) this.state.answerPending = true;
  }

  /** Ends the connection at once: what is unacknowledged is dropped, the peer is told why. */
  close(by: CloseReason, now: Millis): void {
    if (this.state.tag !== 'established' && this.state.tag !== 'accepted') return;
    const until = now + this.#lingerMs();
    this.#end({ tag: 'closing', until, by, answerPending: true, heard: 0 }, 'local', by, now);
  }

  /** Ends the connection without a word: there is nobody to tell. */
  abandon(by: CloseReason, now: Millis): void {
    if (this.state.tag !== 'established' && this.state.tag !== 'accepted') return;
    this.#end({ tag: 'gone' }, 'local', by, now);
  }

  #end(state: ConnectionState, owner: Owner, by: CloseReason, now: Millis): void {
    this.state = state;
    this.#parts.observer?.closed(owner, by, now);
    this.#sink.closed(this, by);
  }

  /** The application has taken a message of `bytes`. */
  consume(bytes: number): void {
    this.#parts.receiveCredit.consume(chargeOf(bytes));
  }

  /** True if taking messages has made an announcement of credit due. */
  get creditDue(): boolean {
    return this.#parts.receiveCredit.updatePending;
  }

  takeDrain(): boolean {
    return this.state.tag === 'established' && this.#parts.channels.takeDrain();
  }

  /** The packet that was built last is to be cut into datagrams of so many bytes; 0 if it is one. */
  get cutBytes(): number {
    return this.#parts.cutBytes;
  }

  /** Writes the next packet to `buffer`; answers its length, 0 if there is none to send now. */
  buildPacket(buffer: Uint8Array, now: Millis): number {
    const { state } = this;
    this.destination = this.address;
    this.#parts.cutBytes = 0;
    if (state.tag === 'closing') {
      if (!state.answerPending) return 0;
      state.answerPending = false;
      return buildClose(this.#parts, buffer, state.by, now);
    }
    if (state.tag !== 'established') return 0;
    const aside = this.#parts.paths.poll(this.#ptoMs(), now);
    if (aside !== undefined) {
      this.destination = aside.to;
      return buildPathPacket(this.#parts, buffer, aside, now);
    }
    const outstanding = this.#parts.loss.sent.outstanding;
    const length = buildPacket(this.#parts, buffer, now);
    if (length > 0) this.#liveness.onSent(this.#parts.loss.sent.outstanding > outstanding, now);
    return length;
  }

  /** When `handleTimeout` is due; `NEVER` if there is nothing to wait for. */
  nextTimeout(): Millis {
    const { state } = this;
    switch (state.tag) {
      case 'accepted':
      case 'closing':
      case 'draining':
        return state.until;
      case 'gone':
        return NEVER;
      case 'established': {
        const { loss, acks, paceUntil, channels, paths } = this.#parts;
        const idle = Math.min(this.#idleAt(), this.#liveness.askAt(), channels.nextDeadline);
        return Math.min(loss.timeout(), acks.deadline, paceUntil, idle, paths.timeout());
      }
    }
  }

  #idleAt(): Millis {
    return this.#liveness.idleAt(this.#ptoMs());
  }

  /** Asks, whatever the window says, by repeating what the oldest packets carry (RFC 9002 §6.2.4). */
  #probe(): void {
    this.#parts.probesPending = PROBES_PER_PTO;
    this.#parts.probedUpTo = -1;
  }

  handleTimeout(now: Millis): void {
    const { state } = this;
    if (state.tag === 'closing' || state.tag === 'draining') {
      if (state.until <= now) this.state = { tag: 'gone' };
      return;
    }
    if (state.tag === 'accepted') {
      const reason = 'the client never confirmed the connection';
      if (state.until <= now) this.abandon({ code: CLOSE.handshakeTimeout, reason }, now);
      return;
    }
    if (state.tag === 'gone') return;
    if (this.#idleAt() <= now) {
      const silentMs = Math.round(this.#liveness.silentMs(now));
      const reason = `nothing heard for ${silentMs} ms`;
      this.abandon({ code: CLOSE.idleTimeout, reason }, now);
      return;
    }
    const { loss, channels, paths } = this.#parts;
    channels.expire(now);
    paths.handleTimeout(now);
    if (loss.timeout() <= now) {
      if (loss.handleTimeout(now) === 'lost') settleLost(this.#parts, now);
      else this.#probe();
      this.#parts.observer?.metricsUpdated(loss, this.#parts.congestion, now);
    }
    if (this.#parts.paceUntil <= now) this.#parts.paceUntil = NEVER;
    if (this.#liveness.askAt() <= now) {
      if (this.#liveness.onAsk(now)) this.#parts.probesPending += 1;
      else this.#parts.pingPending = true;
    }
  }

  /** The probe timeout without its backoff. */
  #ptoMs(): Millis {
    return this.#parts.loss.rtt.ptoMs(this.peer.maxAckDelayMs);
  }

  #lingerMs(): Millis {
    return LINGER_PTOS * this.#ptoMs();
  }

  stats(): ConnectionStats {
    return statsOf(this.#parts);
  }
}
