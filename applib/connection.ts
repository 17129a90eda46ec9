/** I/O: one connection, a session over a link. Turns answers into promises. */

import { FsError, messageOf } from '../protocol/errors.ts';
import type { Dial, Link } from './link.ts';
import type { Answer, RequestType } from './pending.ts';
import { HELLO, Session, type SessionCommand } from './session.ts';

interface Waiting {
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (error: FsError) => void;
}

export class Connection {
  readonly #session = new Session();
  readonly #waiting = new Map<number, Waiting>();
  #link: Link | undefined;

  private constructor() {
    // Made by connect().
  }

  /**
   * Dials, and greets the daemon. Rejects with ECONNLOST (nobody there), ETIMEDOUT (no welcome
   * within `timeoutMs`), or what the daemon refuses it with.
   */
  static async connect(
    dial: Dial,
    timeoutMs: number,
  ): Promise<{ connection: Connection; welcome: Answer<'hello'> }> {
    const connection = new Connection();
    const welcome = connection.#wait<Answer<'hello'>>(HELLO);
    const timer = setTimeout(() => {
      connection.#lose(new FsError('ETIMEDOUT', `the daemon did not answer in ${timeoutMs} ms`));
    }, timeoutMs);
    const dialled = dial({
      onMessage: (message) => {
        connection.#session.handleMessage(message);
        connection.#carryOut();
      },
      onLost: (error) => {
        connection.#lose(error);
      },
    });
    dialled.then(
      (link) => {
        connection.#start(link);
      },
      (error: unknown) => {
        connection.#lose(
          error instanceof FsError ? error : new FsError('ECONNLOST', messageOf(error)),
        );
      },
    );
    try {
      return { connection, welcome: await welcome };
    } finally {
      clearTimeout(timer);
    }
  }

  get lost(): boolean {
    return this.#session.lost;
  }

  /** Makes a request of the session and waits for its answer; rejects with what the session throws. */
  async ask<K extends RequestType>(
    make: (session: Session) => number,
  ): Promise<{ request: number; answer: Answer<K> }> {
    const request = make(this.#session);
    const answer = this.#wait<Answer<K>>(request);
    this.#carryOut();
    return { request, answer: await answer };
  }

  /** As `ask`, for a read or a write: undefined if no bytes were to be moved. */
  async move<K extends 'read' | 'write'>(
    make: (session: Session) => number,
  ): Promise<Answer<K> | undefined> {
    const answer = this.#wait<Answer<K> | undefined>(make(this.#session));
    this.#carryOut();
    return await answer;
  }

  /** Gives the connection up: what waits fails with ECONNLOST. */
  async close(): Promise<void> {
    this.#lose(new FsError('ECONNLOST', 'this program closed the connection'));
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }

  #wait<A>(request: number): Promise<A> {
    return new Promise((resolve, reject) => {
      // The session has checked that the answer is of the type that is due.
      this.#waiting.set(request, { resolve: resolve as Waiting['resolve'], reject });
    });
  }

  #start(link: Link): void {
    if (this.lost) {
      void link.close();
      return;
    }
    this.#link = link;
    this.#carryOut();
  }

  #lose(error: FsError): void {
    this.#session.handleLost(error);
    this.#carryOut();
  }

  #carryOut(): void {
    // Before there is a link, the greeting stays in the session.
    if (this.#link === undefined && !this.lost) return;
    for (const command of this.#session.drain()) this.#apply(command);
    this.#link?.hold(this.#session.busy);
  }

  #apply(command: SessionCommand): void {
    switch (command.do) {
      case 'send':
        this.#link?.send(command.message);
        return;
      case 'resolve':
        this.#take(command.request)?.resolve(command.answer);
        return;
      case 'reject':
        this.#take(command.request)?.reject(command.error);
        return;
      case 'disconnect':
        void this.#link?.close();
        this.#link = undefined;
        return;
      default:
        command satisfies never;
    }
  }

  #take(request: number): Waiting | undefined {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    return waiting;
  }
}
