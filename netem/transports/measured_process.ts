/** I/O: a process that runs one side of a measurement, in whatever namespace and on whatever CPU; asked by messages. */

import { spawn, type ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { besideModule } from '../program_place.ts';

/** How the other side of the messages answers. */
export type Handler<Job> = (job: Job) => Promise<unknown>;

interface Question {
  readonly number: number;
  readonly job: unknown;
}
interface Answer {
  readonly number: number;
  readonly value?: unknown;
  readonly error?: string;
}

const ASK_MS = 60_000;

/** In the process itself: answers its parent, and ends with it. */
export const answerParent = <Job>(handle: Handler<Job>): void => {
  process.on('disconnect', () => process.exit());
  process.on('message', ({ number, job }: Question) => {
    const answer = (value: object): void => {
      process.send?.({ number, ...value });
    };
    handle(job as Job).then(
      (value) => {
        answer({ value });
      },
      (error: unknown) => {
        answer({ error: error instanceof Error ? error.message : String(error) });
      },
    );
  });
};

export interface ProcessPlace {
  /** Put before the command: enters a namespace. */
  readonly enter: readonly string[];
  /** The only CPU it may use; undefined: any. */
  readonly cpu?: number | undefined;
}

export const SERVER_PROCESS = besideModule('server_process', import.meta.url);
export const CLIENT_PROCESS = besideModule('client_process', import.meta.url);

export class MeasuredProcess<Job> {
  readonly #child: ChildProcess;
  readonly #asked = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  #number = 0;

  constructor(script: string, args: readonly string[], place: ProcessPlace, environment = {}) {
    const pin = place.cpu === undefined ? [] : ['taskset', '-c', String(place.cpu)];
    const words = [...place.enter, ...pin, process.execPath, ...process.execArgv, script, ...args];
    const [program = '', ...rest] = words;
    this.#child = spawn(program, rest, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
      serialization: 'advanced',
    });
    let said = '';
    this.#child.stderr?.on(
      'data',
      (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2000)),
    );
    this.#child.on('message', ({ number, value, error }: Answer) => {
      const asked = this.#asked.get(number);
      this.#asked.delete(number);
      if (error === undefined) asked?.resolve(value);
      else asked?.reject(new Error(error));
    });
    this.#child.on('error', () => undefined);
    this.#child.on('close', () => {
      for (const { reject } of this.#asked.values()) {
        const reason = /^.*Error.*$/m.exec(said)?.[0] ?? said.trim();
        reject(new Error(`${basename(script)} of ${args.join(' ')} has ended: ${reason}`));
      }
      this.#asked.clear();
    });
  }

  async ask<Value>(job: Job): Promise<Value> {
    const number = ++this.#number;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#child.send({ number, job } satisfies Question, (error) => {
        if (error !== null) reject(error);
      });
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer in ${ASK_MS / 1000} s to ${JSON.stringify(job)}`));
      }, ASK_MS);
    });
    try {
      return (await Promise.race([answer, late])) as Value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops it where it is, for good: its sockets go on existing, and nobody reads them. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await exited;
  }
}
