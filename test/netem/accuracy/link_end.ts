/**
 * One end of a link that is measured, as rudp's socket shell drives it: a stream of datagrams that are
 * counted at the other end, and round trips that the other end sends back at once. Pure: time comes in.
 */

import type { Transmit } from '../../../rudp/endpoint_event.ts';
import type { DatagramCore } from '../../../rudp/socket_endpoint.ts';

/** Of a datagram: what it is, and its number. */
export const DATAGRAM_BYTES = 8;
const COUNTED = 1;
const PING = 2;
const PONG = 3;
/**
 * Counted datagrams under way in one direction: fewer than the least receive buffer holds and than any
 * profile's limit, so that whatever is missing was lost on purpose, even after a standstill.
 */
const WINDOW = 128;

/** The counted datagrams of one direction. */
export class Stream {
  wanted = 0;
  sent = 0;
  arrived = 0;
  /** All numbers below it have arrived or are lost: what comes later in order has been seen. */
  over = 0;

  get ended(): boolean {
    return this.over >= this.wanted;
  }

  /** What is still under way will not come any more. */
  giveUp(): void {
    this.over = this.sent;
  }
}

const encode = (kind: number, number: number): Uint8Array => {
  const bytes = new Uint8Array(DATAGRAM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, number);
  return bytes;
};

const numberIn = (bytes: Uint8Array): number =>
  (((bytes[1] ?? 0) << 24) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 8) | (bytes[4] ?? 0)) >>>
  0;

export class LinkEnd implements DatagramCore<never> {
  readonly #outgoing: Stream;
  readonly #incoming: Stream;
  /** Pings and pongs that are to be sent. */
  readonly #waiting: Uint8Array[] = [];
  readonly #sentAt: number[] = [];
  /** Round trips in ms. */
  readonly trips: number[] = [];
  /** Where the other end is. */
  peer = '';
  /** Called when the other end may send more. */
  onArrival: () => void = () => undefined;

  constructor(outgoing: Stream, incoming: Stream) {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  ping(now: number): void {
    this.#waiting.push(encode(PING, this.#sentAt.length));
    this.#sentAt.push(now);
  }

  handleDatagram(_from: string, datagram: Uint8Array, now: number): void {
    const number = numberIn(datagram);
    switch (datagram[0]) {
      case COUNTED:
        this.#incoming.arrived += 1;
        this.#incoming.over = Math.max(this.#incoming.over, number + 1);
        this.onArrival();
        break;
      case PING:
        this.#waiting.push(encode(PONG, number));
        break;
      case PONG:
        this.trips.push(now - (this.#sentAt[number] ?? now));
        break;
      default:
        throw new RangeError(`a datagram of kind ${String(datagram[0])} is none of a link's`);
    }
  }

  pollTransmit(): Transmit | undefined {
    const bytes = this.#waiting.shift() ?? this.#nextCounted();
    return bytes === undefined ? undefined : { to: this.peer, bytes };
  }

  #nextCounted(): Uint8Array | undefined {
    const { sent, wanted, over } = this.#outgoing;
    if (sent >= wanted || sent - over >= WINDOW) return undefined;
    this.#outgoing.sent += 1;
    return encode(COUNTED, sent);
  }

  handleTimeout(): void {
    throw new RangeError('a link end has no timeouts');
  }

  nextTimeout(): undefined {
    return undefined;
  }

  pollEvent(): undefined {
    return undefined;
  }
}
