/**
 * Whose turn it is to send, and when the connections of an endpoint must be looked at again. To ask
 * every connection for its next timeout after every packet would cost more than the packet; so only
 * the least of the times is kept, and one that was put off since is noticed when the time has come.
 */

import type { Connection } from './connection.ts';
import type { Transmit } from './endpoint_event.ts';
import { Fifo } from './fifo.ts';
import { MAX_DATAGRAM_BYTES } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';
import { Flight } from './split_packets.ts';

export class Schedule {
  /** Connections that may have something to send, in turn. */
  readonly #line = new Fifo<Connection>();
  readonly #buffer = new Uint8Array(MAX_DATAGRAM_BYTES);
  /** The packet that is on its way out in pieces. */
  readonly #flight = new Flight();
  /** No connection that is out of line has anything to do before. */
  #dueAt: Millis = NEVER;

  standInLine(connection: Connection): void {
    if (connection.inLine) return;
    connection.inLine = true;
    this.#line.push(connection);
  }

  /** The next datagram of whose turn it is; undefined if nobody has anything to send now. */
  pollTransmit(now: Millis): Transmit | undefined {
    const piece = this.#flight.next();
    if (piece !== undefined) return { to: this.#flight.to, bytes: piece };
    for (let connection = this.#line.shift(); connection; connection = this.#line.shift()) {
      const length = connection.buildPacket(this.#buffer, now);
      if (length > 0) {
        this.#line.push(connection);
        return this.#datagramOf(connection, this.#buffer.subarray(0, length));
      }
      connection.inLine = false;
      this.noteTimeout(connection);
    }
    return undefined;
  }

  #datagramOf({ destination, cutBytes }: Connection, packet: Uint8Array): Transmit {
    const bytes = cutBytes === 0 ? packet : this.#flight.load(packet, cutBytes, destination);
    return { to: destination, bytes };
  }

  /** `connection` has something to do at its next timeout; one in line is asked when it leaves it. */
  noteTimeout(connection: Connection): void {
    if (connection.inLine) return;
    this.#dueAt = Math.min(this.#dueAt, connection.nextTimeout());
  }

  /** True if a connection may be due; then each must be asked, and noted again. */
  takeDue(now: Millis): boolean {
    if (this.#dueAt > now) return false;
    this.#dueAt = NEVER;
    return true;
  }

  /** When `takeDue` will be true; at the latest when the first connection out of line is due. */
  nextTimeout(): Millis {
    return this.#dueAt;
  }
}
