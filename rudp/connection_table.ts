/** The connections of an endpoint under all the names they are looked up by. */

import type { Connection, ConnectionHandle } from './connection.ts';
import type { EndpointEvent } from './endpoint_event.ts';
import type { ConnectionId } from './packet_codec.ts';
import { LossMeasures } from './loss_measure.ts';

interface Accepted {
  readonly connection: Connection;
  readonly welcome: Uint8Array;
}

const keyOf = (address: string, id: ConnectionId): string => `${address}/${id}`;

export class ConnectionTable {
  readonly losses = new LossMeasures();
  /** Every connection whose end still has to be told, accepted ones from their confirmation on. */
  readonly byHandle = new Map<ConnectionHandle, Connection>();
  /** Every connection, also while it lingers after its end. */
  readonly byLocalId = new Map<ConnectionId, Connection>();
  readonly #byRemote = new Map<string, Connection>();
  /** What each accepted client was answered, so that a repeated hello gets the same again. */
  readonly #accepted = new Map<string, Accepted>();

  readonly #halfOpen = new Set<Connection>();

  /** Accepted clients that have not shown yet that they got our welcome. */
  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  add(connection: Connection): void {
    this.byLocalId.set(connection.localId, connection);
    this.#byRemote.set(keyOf(connection.address, connection.remoteId), connection);
  }

  remove(connection: Connection): void {
    const key = keyOf(connection.address, connection.remoteId);
    this.#halfOpen.delete(connection);
    this.byHandle.delete(connection.handle);
    this.byLocalId.delete(connection.localId);
    if (this.#byRemote.get(key) === connection) this.#byRemote.delete(key);
    if (this.#accepted.get(key)?.connection === connection) this.#accepted.delete(key);
  }

  /** The peer was at `from` and is at `connection.address` now; answers what the user is told. */
  move(connection: Connection, from: string): EndpointEvent {
    const key = keyOf(from, connection.remoteId);
    if (this.#byRemote.get(key) === connection) this.#byRemote.delete(key);
    if (this.#accepted.get(key)?.connection === connection) this.#accepted.delete(key);
    this.#byRemote.set(keyOf(connection.address, connection.remoteId), connection);
    return { type: 'moved', connection: connection.handle, address: connection.address };
  }

  /** The user learns of the connection. */
  announce(connection: Connection): void {
    this.#halfOpen.delete(connection);
    this.byHandle.set(connection.handle, connection);
  }

  /** The user must learn of the end; false if it never knew the connection. */
  retire(connection: Connection): boolean {
    return this.byHandle.delete(connection.handle);
  }

  byRemoteId(address: string, remoteId: ConnectionId): Connection | undefined {
    return this.#byRemote.get(keyOf(address, remoteId));
  }

  rememberWelcome(connection: Connection, welcome: Uint8Array): void {
    this.#halfOpen.add(connection);
    this.#accepted.set(keyOf(connection.address, connection.remoteId), { connection, welcome });
  }

  welcomeFor(address: string, clientId: ConnectionId): Uint8Array | undefined {
    return this.#accepted.get(keyOf(address, clientId))?.welcome;
  }

  /** The live connections of earlier lives of `newcomer`'s peer. */
  olderLives(newcomer: Connection, supersede: 'address' | 'name'): readonly Connection[] {
    const { peer, address } = newcomer;
    return [...this.byHandle.values()].filter(
      (old) =>
        old !== newcomer &&
        old.peer.name === peer.name &&
        old.peer.incarnation !== peer.incarnation &&
        (supersede === 'name' || old.address === address),
    );
  }
}
