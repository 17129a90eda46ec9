/** Does I/O: the log of a daemon on standard output; JSON lines, or readable ones on a terminal. */

import { Writable } from 'node:stream';
import pino from 'pino';
import type { LOG_LEVELS } from './option_values.ts';

export type LogLevel = (typeof LOG_LEVELS)[number];

const STANDARD_OUTPUT = 1;
/** Fields that have their own place in a readable line, or none. */
const PLACED: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'name', 'pid', 'hostname']);

const entryOf = (json: string): Record<string, unknown> | undefined => {
  try {
    const value = JSON.parse(json) as unknown;
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
};

/** An FsError says all in its message; where it was made is of use in the JSON lines only. */
const isToldError = (key: string, value: unknown): boolean =>
  key === 'err' &&
  typeof value === 'object' &&
  value !== null &&
  'type' in value &&
  value.type === 'FsError';

/** One line of the log for a person; a line that is no JSON object comes back as it is. */
export const readableLine = (json: string): string => {
  const entry = entryOf(json);
  if (entry === undefined) return json;
  const time = String(entry['time']).slice(11, 23);
  const level = (pino.levels.labels[Number(entry['level'])] ?? '').toUpperCase().padEnd(5);
  const fields = Object.entries(entry)
    .filter(([key, value]) => !PLACED.has(key) && !isToldError(key, value))
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const message = typeof entry['msg'] === 'string' ? entry['msg'] : '';
  return `${time} ${level} ${String(entry['name'])}: ${message}${fields.join('')}`;
};

const readable = (): Writable =>
  new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, _encoding, done) => {
      process.stdout.write(`${readableLine(chunk.toString().trimEnd())}\n`);
      done();
    },
  });

/**
 * The log of the daemon `name`. Lines are written before the call that logs them returns, so that
 * the last ones survive a crash.
 */
export const createLog = (name: string, level: LogLevel): pino.Logger => {
  const options = { name, level, timestamp: pino.stdTimeFunctions.isoTime };
  return process.stdout.isTTY
    ? pino(options, readable())
    : pino(options, pino.destination({ dest: STANDARD_OUTPUT, sync: true }));
};
