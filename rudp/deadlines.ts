/**
 * Which message's deadline comes next: a binary heap that any message can leave, as one that is
 * acknowledged in time does, so that it holds no more than what is under way.
 */

import { NEVER, type Millis } from './millis.ts';
import type { OutgoingMessage } from './outgoing_message.ts';

export interface Deadline {
  readonly at: Millis;
  readonly message: OutgoingMessage;
  /** Its place in the heap. */
  index: number;
}

export class Deadlines {
  readonly #heap: Deadline[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** `NEVER` if there is none. */
  get next(): Millis {
    return this.#heap[0]?.at ?? NEVER;
  }

  add(message: OutgoingMessage, at: Millis): void {
    const deadline = { at, message, index: this.#heap.length };
    message.deadline = deadline;
    this.#heap.push(deadline);
    this.#rise(deadline);
  }

  /** Forgets the deadline of `message`, if it has one. */
  remove(message: OutgoingMessage): void {
    const { deadline } = message;
    if (deadline === undefined) return;
    message.deadline = undefined;
    const last = this.#heap.pop();
    if (last === undefined || last === deadline) return;
    this.#put(last, deadline.index);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes out a message whose deadline has come by `now`, the earliest first. */
  takeDue(now: Millis): OutgoingMessage | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.remove(first.message);
    return first.message;
  }

  #put(deadline: Deadline, index: number): void {
    this.#heap[index] = deadline;
    deadline.index = index;
  }

  #rise(deadline: Deadline): void {
    while (deadline.index > 0) {
      const { index } = deadline;
      const parent = this.#heap[(index - 1) >>> 1];
      if (parent === undefined || parent.at <= deadline.at) return;
      this.#put(deadline, parent.index);
      this.#put(parent, index);
    }
  }

  #sink(deadline: Deadline): void {
    while (true) {
      const { index } = deadline;
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (child === undefined || child.at >= deadline.at) return;
      this.#put(deadline, child.index);
      this.#put(child, index);
    }
  }
}
