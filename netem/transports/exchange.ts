/** I/O: requests and responses over anything that carries messages: the same few lines for all peers that lack them. */

import type { OnRequest } from './peer.ts';

/** Kind and number. */
export const HEAD_BYTES = 5;
const KIND = { request: 0, response: 1, oneWay: 2 } as const;

/** Sends a message of two parts; a promise is awaited by whoever can send more. */
export type Write = (head: Buffer, body: Buffer) => Promise<void> | undefined;

const headOf = (kind: number, number: number): Buffer => {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head[0] = kind;
  head.writeUInt32BE(number, 1);
  return head;
};

export class Exchange {
  readonly #write: Write;
  readonly #onRequest: OnRequest | undefined;
  readonly #waiting = new Map<number, (body: Buffer) => void>();
  #next = 0;

  constructor(write: Write, onRequest?: OnRequest) {
    this.#write = write;
    this.#onRequest = onRequest;
  }

  request(body: Buffer): Promise<Buffer> {
    this.#next = (this.#next + 1) >>> 0;
    const number = this.#next;
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve);
      void this.#write(headOf(KIND.request, number), body);
    });
  }

  send(body: Buffer): Promise<void> | undefined {
    return this.#write(headOf(KIND.oneWay, 0), body);
  }

  /** Takes a whole message from the other side. */
  receive(message: Buffer): void {
    const number = message.readUInt32BE(1);
    const body = message.subarray(HEAD_BYTES);
    if (message[0] === KIND.response) {
      this.#waiting.get(number)?.(body);
      this.#waiting.delete(number);
      return;
    }
    const response = this.#onRequest?.(body);
    if (response === undefined || message[0] === KIND.oneWay) return;
    if (Buffer.isBuffer(response)) void this.#write(headOf(KIND.response, number), response);
    else void response.then((bytes) => this.#write(headOf(KIND.response, number), bytes));
  }
}
