/** One request set, run command by command; the clock, the files and the barriers come from outside. */

import { FsError, messageOf } from '../protocol/errors.ts';
import type { Source } from '../protocol/ids.ts';
import type { CommandRecord } from './command_record.ts';
import type { Command } from './request_set.ts';

/** The calls of an application, by file number as in the course. */
export interface Files {
  open(file: number, mode: number): Promise<void>;
  read(file: number, length: number): Promise<{ bytes: Uint8Array; source: Source }>;
  write(file: number, bytes: Uint8Array): Promise<{ count: number; copies: number }>;
  close(file: number): Promise<void>;
}

export interface Surroundings {
  readonly files: Files;
  /** Monotonic, the same clock for every process of the machine. */
  readonly nowNs: () => bigint;
  readonly pause: (ms: number) => Promise<void>;
  /** Resolves with true when all have met there, false if they never can. */
  readonly meet: (barrier: string) => Promise<boolean>;
}

/** What a command did, before it is held against what was expected of it. */
type Outcome = Partial<Pick<CommandRecord, 'bytes' | 'data' | 'servedFrom' | 'copies'>>;

const execute = async (
  command: Command,
  { files, pause, meet }: Surroundings,
): Promise<Outcome> => {
  switch (command.name) {
    case 'open':
      await files.open(command.file, command.mode);
      return {};
    case 'read': {
      const { bytes, source } = await files.read(command.file, command.length);
      return { bytes: bytes.length, data: bytes, servedFrom: source };
    }
    case 'write': {
      const { count, copies } = await files.write(command.file, command.bytes);
      const data = command.bytes.subarray(0, count);
      // An empty write goes nowhere, so nothing can be said of its copies.
      return count === 0 ? { bytes: 0, data } : { bytes: count, data, copies };
    }
    case 'close':
      await files.close(command.file);
      return {};
    case 'sleep':
      await pause(command.ms);
      return {};
    case 'barrier': {
      const met = await meet(command.barrier);
      if (met) return {};
      throw new Error(
        `barrier ${command.barrier}: every set waits at another one, all were let go`,
      );
    }
  }
};

const asText = (bytes: Uint8Array): string => JSON.stringify(new TextDecoder().decode(bytes));

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at]);

const describe = (error: unknown): string => {
  const message = messageOf(error);
  return error instanceof FsError && !message.startsWith(error.code)
    ? `${error.code}: ${message}`
    : message;
};

type Verdict = Pick<CommandRecord, 'ok' | 'error' | 'errorCode'>;

const judgeSuccess = ({ expectation }: Command, { data }: Outcome): Verdict => {
  if (expectation?.kind === 'error') {
    return { ok: false, error: `expected ${expectation.code}, but it succeeded` };
  }
  if (expectation === undefined || sameBytes(expectation.bytes, data ?? new Uint8Array())) {
    return { ok: true };
  }
  return { ok: false, error: `expected ${asText(expectation.bytes)}` };
};

const judgeFailure = ({ expectation }: Command, thrown: unknown): Verdict => {
  const code = thrown instanceof FsError ? { errorCode: thrown.code } : {};
  if (expectation?.kind !== 'error') return { ok: false, error: describe(thrown), ...code };
  if (expectation.code === code.errorCode) return { ok: true, error: describe(thrown), ...code };
  return { ok: false, error: `expected ${expectation.code}, met ${describe(thrown)}`, ...code };
};

const argumentsOf = (command: Command): Partial<CommandRecord> => {
  switch (command.name) {
    case 'open':
      return { file: command.file, mode: command.mode };
    case 'read':
    case 'write':
    case 'close':
      return { file: command.file };
    case 'sleep':
      return { detail: `${command.ms} ms` };
    case 'barrier':
      return { detail: command.barrier };
  }
};

/** Where each open file stands; one set is the only user of its connection, so it can be counted. */
const offsetBefore = (offsets: Map<number, number>, command: Command): number | undefined => {
  if (command.name === 'open') offsets.set(command.file, 0);
  return command.name === 'read' || command.name === 'write'
    ? (offsets.get(command.file) ?? 0)
    : undefined;
};

/**
 * Runs the commands one after the other; one that fails does not keep the next from being tried.
 * Each record is given to `emit` as soon as its command is over.
 */
export const runSet = async (
  node: string,
  commands: readonly Command[],
  surroundings: Surroundings,
  emit: (record: CommandRecord) => void,
): Promise<void> => {
  const offsets = new Map<number, number>();
  for (const [index, command] of commands.entries()) {
    const startNs = surroundings.nowNs();
    let outcome: Outcome = {};
    let failure: { thrown: unknown } | undefined;
    try {
      outcome = await execute(command, surroundings);
    } catch (thrown) {
      failure = { thrown };
      // Whether it was applied may be unknown: the check needs what would have been.
      if (command.name === 'write') outcome = { data: command.bytes };
    }
    const endNs = surroundings.nowNs();
    const verdict =
      failure === undefined
        ? judgeSuccess(command, outcome)
        : judgeFailure(command, failure.thrown);
    const succeeded = failure === undefined;
    const offset =
      succeeded || command.name !== 'open' ? offsetBefore(offsets, command) : undefined;
    emit({
      node,
      index,
      command: command.name,
      ...argumentsOf(command),
      ...outcome,
      ...verdict,
      startNs,
      endNs,
      ...(offset === undefined ? {} : { offset }),
    });
    if (offset !== undefined && 'file' in command) {
      offsets.set(command.file, offset + (outcome.bytes ?? 0));
    }
  }
};
