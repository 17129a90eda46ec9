/** Does I/O: request sets run at the same time, each in an application process of its own. */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { messageOf } from '../protocol/errors.ts';
import { Barriers, type Release } from './barriers.ts';
import {
  messageFromLine,
  messageToLine,
  type FromApplication,
  type Target,
  type ToApplication,
} from './application_messages.ts';
import type { CommandRecord } from './command_record.ts';
import { PROGRAM } from './daemon_process.ts';
import type { Command } from './request_set.ts';

export interface NodeSet {
  readonly node: string;
  readonly target: Target;
  readonly commands: readonly Command[];
  /** What starts its application, somewhere else; where it is missing, this program does, here. */
  readonly launch?: readonly string[];
}

export interface RunOutcome {
  /** In the order in which the commands ended, as far as the run heard of them. */
  readonly records: readonly CommandRecord[];
  /** Sets that did not come to their end, and why. */
  readonly failures: readonly string[];
}

const barrierNames = (commands: readonly Command[]): string[] =>
  commands.flatMap((command) => (command.name === 'barrier' ? [command.barrier] : []));

type Application = ChildProcessByStdio<Writable, Readable, null>;

/** In a process group of its own: Ctrl-C is for the run, which ends its applications itself. */
const startApplication = (launch: readonly string[] | undefined): Application => {
  const [program = '', ...args] = launch ?? [
    process.execPath,
    ...process.execArgv,
    PROGRAM,
    'application',
  ];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  // One that ends at this moment hears nothing, and its end is noticed elsewhere.
  child.stdin.on('error', () => undefined);
  return child;
};

const heard = (line: string): FromApplication | undefined => {
  try {
    return messageFromLine(line) as FromApplication;
  } catch {
    return undefined;
  }
};

/** How an application ended, once nothing more can be heard of it. */
const endOf = async (child: Application): Promise<string> => {
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
    return `its application ended early (${signal ?? `exit status ${status ?? 'unknown'}`})`;
  } catch (error) {
    return `its application cannot be started: ${messageOf(error)}`;
  }
};

class Run {
  readonly #sets: readonly NodeSet[];
  readonly #onRecord: (record: CommandRecord) => void;
  readonly #barriers: Barriers;
  readonly #children = new Map<string, Application>();
  readonly #records: CommandRecord[] = [];
  readonly #failures: string[] = [];
  #notConnected: number;

  constructor(sets: readonly NodeSet[], onRecord: (record: CommandRecord) => void) {
    this.#sets = sets;
    this.#onRecord = onRecord;
    this.#barriers = new Barriers(
      new Map(sets.map(({ node, commands }) => [node, barrierNames(commands)])),
    );
    this.#notConnected = sets.length;
  }

  async finish(): Promise<RunOutcome> {
    await Promise.all(this.#sets.map((set) => this.#runOne(set)));
    return { records: this.#records, failures: this.#failures };
  }

  stop(): void {
    for (const child of this.#children.values()) child.kill('SIGKILL');
  }

  async #runOne(set: NodeSet): Promise<void> {
    const { node } = set;
    const child = startApplication(set.launch);
    this.#children.set(node, child);
    const progress = { connected: false, finished: false };
    const fail = (reason: string): void => {
      if (!progress.finished) this.#failures.push(`${node}: ${reason}`);
      progress.finished = true;
    };
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = heard(line);
      if (said === undefined) {
        fail(`its application said ${JSON.stringify(line)}`);
        return;
      }
      if (said.type === 'connected') progress.connected = true;
      if (said.type === 'failed') fail(said.message);
      if (said.type === 'finished') progress.finished = true;
      this.#handle(set, said);
      if (said.type === 'failed' || said.type === 'finished') child.stdin.end();
    });
    fail(await endOf(child));
    if (!progress.connected) this.#oneMoreConnected();
    this.#tellReleased(this.#barriers.finish(node));
    this.#children.delete(node);
  }

  #handle({ node, target, commands }: NodeSet, message: FromApplication): void {
    switch (message.type) {
      case 'alive':
        this.#tell(node, { type: 'prepare', node, target, commands });
        return;
      case 'connected':
        this.#oneMoreConnected();
        return;
      case 'arrived':
        this.#tellReleased(this.#barriers.arrive(node, message.barrier));
        return;
      case 'record':
        this.#records.push(message.record);
        this.#onRecord(message.record);
        return;
      case 'finished':
      case 'failed':
        return;
      default:
        message satisfies never;
    }
  }

  /** The sets start together: none before every application that lives is connected. */
  #oneMoreConnected(): void {
    this.#notConnected -= 1;
    if (this.#notConnected > 0) return;
    for (const node of this.#children.keys()) this.#tell(node, { type: 'start' });
  }

  #tellReleased(releases: readonly Release[]): void {
    for (const { node, met } of releases) this.#tell(node, { type: 'released', met });
  }

  #tell(node: string, message: ToApplication): void {
    const child = this.#children.get(node);
    if (child?.stdin.writable === true) child.stdin.write(messageToLine(message));
  }
}

/**
 * Runs the sets at the same time and resolves when all are over, whatever came of them. When
 * `signal` aborts, the applications are ended where they are.
 */
export const runSets = async (
  sets: readonly NodeSet[],
  onRecord: (record: CommandRecord) => void,
  signal?: AbortSignal,
): Promise<RunOutcome> => {
  const run = new Run(sets, onRecord);
  const stop = (): void => {
    run.stop();
  };
  const outcome = run.finish();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted === true) stop();
  try {
    return await outcome;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
};
