/** Does I/O: request sets run at the same time, each in an application process of its own. */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { messageOf } from '../protocol/errors.ts';
import { Barriers, type Release } from './barriers.ts';
import type { FromApplication, Target, ToApplication } from './application_messages.ts';
import type { CommandRecord } from './command_record.ts';
import { PROGRAM } from './daemon_process.ts';
import type { Command } from './request_set.ts';

export interface NodeSet {
  readonly node: string;
  readonly target: Target;
  readonly commands: readonly Command[];
}

export interface RunOutcome {
  /** In the order in which the commands ended, as far as the run heard of them. */
  readonly records: readonly CommandRecord[];
  /** Sets that did not come to their end, and why. */
  readonly failures: readonly string[];
}

const barrierNames = (commands: readonly Command[]): string[] =>
  commands.flatMap((command) => (command.name === 'barrier' ? [command.barrier] : []));

/**
 * How an application ended, when nothing more can be heard of it: what it said last may come after
 * its exit. (The event "close" is no sign of that: it stays away after a disconnect from this side.)
 */
const endOf = async (child: ChildProcess): Promise<string> => {
  const silent = once(child, 'disconnect');
  silent.catch(() => undefined);
  try {
    const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (child.connected) await silent;
    return `its application ended early (${signal ?? `exit status ${status ?? 'unknown'}`})`;
  } catch (error) {
    return `its application cannot be started: ${messageOf(error)}`;
  }
};

class Run {
  readonly #sets: readonly NodeSet[];
  readonly #onRecord: (record: CommandRecord) => void;
  readonly #barriers: Barriers;
  readonly #children = new Map<string, ChildProcess>();
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
    const child = fork(PROGRAM, ['application'], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#children.set(node, child);
    const progress = { connected: false, finished: false };
    const fail = (reason: string): void => {
      if (!progress.finished) this.#failures.push(`${node}: ${reason}`);
      progress.finished = true;
    };
    child.on('message', (message) => {
      const said = message as FromApplication;
      if (said.type === 'connected') progress.connected = true;
      if (said.type === 'failed') fail(said.message);
      if (said.type === 'finished') progress.finished = true;
      this.#handle(set, said);
      if (said.type === 'failed' || said.type === 'finished') child.disconnect();
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
    // One that ends at this moment hears nothing, and its end is noticed elsewhere.
    if (child?.connected === true) child.send(message, () => undefined);
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
