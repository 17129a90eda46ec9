/** I/O: a connection to the agent of a node. */

import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { FsError, messageOf } from '../protocol/errors.ts';
import {
  ANSWERS,
  failureSchema,
  numberedSchema,
  type Answer,
  type Request,
} from './agent_protocol.ts';
import { LineStream } from './line_stream.ts';

/** How long an agent may take to answer, beyond what was asked for. */
const ANSWER_LIMIT_MS = 5000;

/** So much of a line that is no answer is repeated: docker says there why it cannot start a program. */
const REPEATED_LENGTH = 200;

/** @throws SyntaxError for what no agent says. */
const answerIn = (line: string): { readonly number: number } => {
  try {
    return numberedSchema.parse(JSON.parse(line));
  } catch {
    throw new SyntaxError(line.slice(0, REPEATED_LENGTH));
  }
};

/** Whether an agent was not reached, and may be later; any other error is what it, or its start, had to say. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof FsError && (error.code === 'ECONNLOST' || error.code === 'ETIMEDOUT');

interface Waiting {
  readonly take: (answer: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** Its errors do not name the node, which they call "it": whoever tells one puts the name before it. */
export class AgentLink {
  readonly node: string;
  readonly #stream: Duplex;
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;
  #lost: FsError | undefined;

  /** Connects to the agent at a unix socket. @throws FsError ECONNLOST if there is none. */
  static async dial(node: string, path: string): Promise<AgentLink> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      socket.once('error', (error) => {
        reject(new FsError('ECONNLOST', `no agent answers at ${path}: ${error.message}`));
      });
      socket.once('connect', () => {
        resolve(new AgentLink(node, socket));
      });
    });
  }

  constructor(node: string, stream: Duplex) {
    this.node = node;
    this.#stream = stream;
    const lines = new LineStream();
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      try {
        for (const line of lines.push(text)) this.#take(line);
      } catch (error) {
        this.#lose(`its answers cannot be read: ${messageOf(error)}`);
      }
    });
    stream.on('error', () => undefined);
    stream.on('close', () => {
      this.#lose('it closed the connection');
    });
  }

  /** True once the agent cannot be asked any more. */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** @throws FsError with the agent's own words, or ECONNLOST. */
  async ask<D extends Request['do']>(
    request: Extract<Request, { do: D }>,
    patienceMs = 0,
  ): Promise<Answer<D>> {
    if (this.#lost !== undefined) throw this.#lost;
    const number = ++this.#number;
    const answer = await new Promise<unknown>((take, fail) => {
      const timer = setTimeout(() => {
        this.#lose('it does not answer');
      }, ANSWER_LIMIT_MS + patienceMs);
      this.#waiting.set(number, {
        take: (value) => {
          clearTimeout(timer);
          take(value);
        },
        fail: (error) => {
          clearTimeout(timer);
          fail(error);
        },
      });
      this.#stream.write(`${JSON.stringify({ number, ...request })}\n`);
    });
    const failure = failureSchema.safeParse(answer);
    if (failure.success) throw new FsError('EINVAL', failure.data.error);
    const schema = ANSWERS[request.do];
    return schema.parse(answer) as Answer<D>;
  }

  close(): void {
    this.#stream.destroy();
  }

  #take(line: string): void {
    const answer = answerIn(line);
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    waiting?.take(answer);
  }

  #lose(cause: string): void {
    this.#lost ??= new FsError('ECONNLOST', `its agent is lost: ${cause}`);
    for (const { fail } of this.#waiting.values()) fail(this.#lost);
    this.#waiting.clear();
    this.#stream.destroy();
  }
}
