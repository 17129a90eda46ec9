/** The agent of a node in memory. */

import { duplexPair } from 'node:stream';
import { AgentLink } from '../../netem/agent_link.ts';
import type { Request } from '../../netem/agent_protocol.ts';
import { LineStream } from '../../netem/line_stream.ts';

interface Waiting {
  readonly request: Request & { readonly number: number };
  readonly reply: (answer: object) => void;
}

/** What it was asked for, and how it answers; undefined: not yet. */
export class FakeAgent {
  readonly asked: Request[] = [];
  answer: (request: Request) => object | undefined = (request) =>
    request.do === 'hold' ? { outcome: 'new' } : { cleared: [] };
  dials = 0;
  #waiting: Waiting[] = [];
  #hangUp = (): unknown => undefined;

  dial(node: string): AgentLink {
    this.dials += 1;
    const [ours, theirs] = duplexPair();
    const lines = new LineStream();
    this.#hangUp = () => theirs.destroy();
    ours.on('data', (bytes: Buffer) => {
      for (const line of lines.push(bytes.toString())) {
        const request = JSON.parse(line) as Waiting['request'];
        this.asked.push(request);
        const reply = (answer: object): void => {
          ours.write(`${JSON.stringify({ number: request.number, ...answer })}\n`);
        };
        this.#waiting.push({ request, reply });
      }
      this.answerAll();
    });
    return new AgentLink(node, theirs);
  }

  /** Answers what it can by now. */
  answerAll(): void {
    this.#waiting = this.#waiting.filter(({ request, reply }) => {
      const answer = this.answer(request);
      if (answer !== undefined) reply(answer);
      return answer === undefined;
    });
  }

  /** Ends the newest connection. */
  hangUp(): void {
    this.#hangUp();
  }

  count(what: Request['do']): number {
    return this.asked.filter((each) => each.do === what).length;
  }
}
