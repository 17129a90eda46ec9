/** The requests of one connection that wait for their answers. Pure. */

import { FsError } from '../protocol/errors.ts';
import type { Message, MessageType } from '../protocol/messages.ts';

/** How many requests may wait on one connection. */
export const PENDING_LIMIT = 65_536;
/** How many bytes the waiting reads and writes of one connection may move. */
export const PENDING_BYTES_LIMIT = 256 * 1024 * 1024;

const UINT32_MAX = 2 ** 32 - 1;

/** What answers each request of an application. */
export const ANSWERS = {
  hello: 'welcome',
  open: 'opened',
  read: 'readDone',
  write: 'writeDone',
  close: 'closed',
  where: 'whereDone',
  status: 'statusDone',
  flush: 'flushed',
  forget: 'forgotten',
} as const satisfies Partial<Record<MessageType, MessageType>>;

export type RequestType = keyof typeof ANSWERS;
export type AnswerType<K extends RequestType = RequestType> = (typeof ANSWERS)[K];
export type Answer<K extends RequestType = RequestType> = Message<AnswerType<K>>;

export interface Pending {
  readonly type: RequestType;
  readonly sizeBytes: number;
  /** What is to be done to the file's state when the answer is in; undefined if it failed. */
  readonly settle: (answer: Answer | undefined) => void;
}

/** A table from request ids to what waits for them, bounded in number and in bytes. */
export class PendingRequests {
  readonly #waiting = new Map<number, Pending>();
  #last = 0;
  #sizeBytes = 0;

  /** Throws FsError EBUSY if one more request of `sizeBytes` has to wait for the others. */
  checkRoom(sizeBytes: number): void {
    if (this.#waiting.size >= PENDING_LIMIT) {
      throw new FsError(
        'EBUSY',
        `${this.#waiting.size} requests wait on this connection, at most ${PENDING_LIMIT} may`,
      );
    }
    if (this.#waiting.size > 0 && this.#sizeBytes + sizeBytes > PENDING_BYTES_LIMIT) {
      throw new FsError(
        'EBUSY',
        `requests for ${this.#sizeBytes} bytes wait on this connection and ${sizeBytes} are too ` +
          `many more, at most ${PENDING_BYTES_LIMIT} may wait`,
      );
    }
  }

  /** An id that no waiting request has; never 0. */
  nextId(): number {
    do {
      this.#last = this.#last === UINT32_MAX ? 1 : this.#last + 1;
    } while (this.#waiting.has(this.#last));
    return this.#last;
  }

  add(id: number, pending: Pending): void {
    this.#waiting.set(id, pending);
    this.#sizeBytes += pending.sizeBytes;
  }

  get(id: number): Pending | undefined {
    return this.#waiting.get(id);
  }

  /** The request `id`, which waits no longer. */
  take(id: number): Pending | undefined {
    const pending = this.#waiting.get(id);
    if (pending === undefined) return undefined;
    this.#waiting.delete(id);
    this.#sizeBytes -= pending.sizeBytes;
    return pending;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The ids of all that wait, oldest first. */
  ids(): number[] {
    return [...this.#waiting.keys()];
  }
}
