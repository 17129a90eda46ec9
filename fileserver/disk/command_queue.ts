/** What the disk asks of its shell, and which part of the disk each answer is for. */

import { assert } from '../../protocol/assert.ts';
import { Fifo } from './fifo.ts';

export type DiskCommand =
  /** Fewer bytes than asked for mean that the image ends there. */
  | { do: 'read'; token: number; offset: number; length: number }
  /** The bytes must not be changed by the shell, nor by the core until the answer. */
  | { do: 'write'; token: number; offset: number; bytes: Uint8Array }
  /** Everything whose writing was answered before this command is to be on the medium. */
  | { do: 'sync'; token: number };

export type OpeningStep = 'superblocks' | 'end' | 'nodes' | 'journal' | 'allocation';

/** Why a command was issued. */
export type Purpose =
  | { part: 'opening'; step: OpeningStep }
  | { part: 'reader'; read: number; piece: 'checksums' | 'data' }
  | { part: 'journal'; step: 'group' | 'home' | 'superblock' | 'sync' };

export class CommandQueue {
  #nextToken = 1;
  readonly #queue = new Fifo<DiskCommand>();
  readonly #purposes = new Map<number, Purpose>();

  read(offset: number, length: number, purpose: Purpose): void {
    this.#queue.push({ do: 'read', token: this.#issue(purpose), offset, length });
  }

  write(offset: number, bytes: Uint8Array, purpose: Purpose): void {
    this.#queue.push({ do: 'write', token: this.#issue(purpose), offset, bytes });
  }

  sync(purpose: Purpose): void {
    this.#queue.push({ do: 'sync', token: this.#issue(purpose) });
  }

  #issue(purpose: Purpose): number {
    const token = this.#nextToken++;
    this.#purposes.set(token, purpose);
    return token;
  }

  poll(): DiskCommand | undefined {
    return this.#queue.shift();
  }

  /** The purpose of an answered command; each is answered once. */
  settle(token: number): Purpose {
    const purpose = this.#purposes.get(token);
    assert(purpose !== undefined, `disk command ${token} is waiting for its answer`);
    this.#purposes.delete(token);
    return purpose;
  }

  /** Takes back what no shell has begun. */
  clear(): void {
    this.#queue.drain();
  }
}
