/**
 * Whose turn it is to send, and when the connections of an endpoint must be looked at again. To ask
 * every connection for its next timeout after every packet would cost more than the packet; so only
 * the least of the times is kept, and one that was put off since is noticed when the time has come.
 */

import type { Connection } from './connection.ts';
import { Fifo } from './fifo.ts';
import { NEVER, type Millis } from './millis.ts';

export class Schedule {
  /** Connections that may have something to send, in turn. */
  readonly #line = new Fifo<Connection>();
  /** No connection that is out of line has anything to do before. */
  #dueAt: Millis = NEVER;

  standInLine(connection: Connection): void {
    if (connection.inLine) return;
    connection.inLine = true;
    this.#line.push(connection);
  }

  /**
   * Writes the next packet of whose turn it is to `buffer`; answers the connection, whose
   * `packetBytes` is the length, or undefined if nobody has anything to send now.
   */
  buildPacket(buffer: Uint8Array, now: Millis): Connection | undefined {
    for (let connection = this.#line.shift(); connection; connection = this.#line.shift()) {
      if (connection.buildPacket(buffer, now) > 0) {
        this.#line.push(connection);
        return connection;
      }
      connection.inLine = false;
      this.noteTimeout(connection);
    }
    return undefined;
  }

  /** `connection` has something to do at its next timeout. */
  noteTimeout(connection: Connection): void {
    this.#dueAt = Math.min(this.#dueAt, connection.nextTimeout());
  }

  /** True if a connection may be due; then each must be asked, and noted again. */
  takeDue(now: Millis): boolean {
    if (this.nextTimeout() > now) return false;
    this.#dueAt = NEVER;
    return true;
  }

  /** When `takeDue` will be true; at the latest when the first connection is due. */
  nextTimeout(): Millis {
    for (let index = 0; index < this.#line.length; index += 1) {
      const connection = this.#line.at(index);
      if (connection !== undefined) this.noteTimeout(connection);
    }
    return this.#dueAt;
  }
}
