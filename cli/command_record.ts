/** What came of one command of a request set, and how it is printed for programs and for people. */

import type { ErrorCode } from '../protocol/errors.ts';
import type { Source } from '../protocol/ids.ts';
import { counted, formatMs } from './text_table.ts';

export const CALLS = ['open', 'read', 'write', 'close'] as const;
export type Call = (typeof CALLS)[number];
type CommandName = Call | 'sleep' | 'barrier';

export interface CommandRecord {
  readonly node: string;
  /** The place of the command in its set, from 0. */
  readonly index: number;
  readonly command: CommandName;
  readonly file?: number;
  readonly mode?: number;
  /** Bytes that were read or written. */
  readonly bytes?: number;
  /** What was read; or what was written: the part that fitted, or all that a failed write tried. */
  readonly data?: Uint8Array;
  /** The command did what it should: it succeeded, or failed as its `expect-error` says. */
  readonly ok: boolean;
  readonly error?: string;
  readonly servedFrom?: Source;
  /** On the clock of the machine (CLOCK_MONOTONIC), which its processes share. */
  readonly startNs: bigint;
  readonly endNs: bigint;

  // What the verdicts need beyond what is printed.
  /** Where in the file the command read or wrote. */
  readonly offset?: number;
  /** How many memories held a write when it was acknowledged; 0 if the disk did instead. */
  readonly copies?: number;
  readonly errorCode?: ErrorCode;
  /** The argument of a barrier or a sleep. */
  readonly detail?: string;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that `bytes` encode, if all of it can be shown; line breaks and tabs can. */
export const printableText = (bytes: Uint8Array): string | undefined => {
  try {
    const text = decoder.decode(bytes);
    return /[^\P{C}\n\t]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
};

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
// String.fromCharCode takes its characters as arguments, of which an engine allows some 100,000.
const BASE64_CHUNK_BYTES = 3 * 8192;

const toBase64 = (bytes: Uint8Array): string => {
  let text = '';
  for (let at = 0; at < bytes.length; at += BASE64_CHUNK_BYTES) {
    text += base64(bytes.subarray(at, at + BASE64_CHUNK_BYTES));
  }
  return text;
};

/** The line of `run --json`; fields that do not apply are left out. */
export const recordAsJson = (record: CommandRecord): string => {
  const text = record.data === undefined ? undefined : printableText(record.data);
  return JSON.stringify({
    node: record.node,
    index: record.index,
    command: record.command,
    file: record.file,
    mode: record.mode,
    bytes: record.bytes,
    data: text,
    dataBase64: record.data && text === undefined ? toBase64(record.data) : undefined,
    ok: record.ok,
    error: record.error,
    servedFrom: record.servedFrom,
    startNs: String(record.startNs),
    endNs: String(record.endNs),
  });
};

const SHOWN_CHARACTERS_LIMIT = 48;

const shown = (bytes: Uint8Array): string => {
  const text = printableText(bytes);
  if (text === undefined) return `<${counted(bytes.length, 'byte')}, not printable>`;
  const short = text.slice(0, SHOWN_CHARACTERS_LIMIT);
  return JSON.stringify(short) + (short.length < text.length ? '…' : '');
};

const SOURCE_WORDS: Readonly<Record<Source, string>> = {
  local: 'from local memory',
  peer: 'from peer memory',
  server: 'from server memory',
  disk: 'from disk',
};

const copiesWords = (copies: number): string =>
  copies === 0 ? 'on disk' : `in ${counted(copies, 'memory', 'memories')}`;

const resultWords = (record: CommandRecord): string => {
  const parts: string[] = [];
  if (record.command === 'read' && record.data !== undefined) {
    parts.push(shown(record.data));
    if (record.servedFrom !== undefined) parts.push(SOURCE_WORDS[record.servedFrom]);
  }
  if (record.command === 'write' && record.data !== undefined) {
    parts.push(shown(record.data));
    if (record.copies !== undefined) parts.push(copiesWords(record.copies));
  }
  if (record.error !== undefined) {
    parts.push(record.ok ? `(expected) ${record.error}` : record.error);
  }
  return parts.join(' ');
};

/** One line for a person: node, command, what came of it and how long it took. */
export const recordAsText = (record: CommandRecord): string => {
  const mode = record.command === 'open' ? (record.mode === 0 ? ' to read' : ' to write') : '';
  const call = `${record.command} ${record.detail ?? record.file ?? ''}${mode}`;
  const took = formatMs(Number(record.endNs - record.startNs));
  const sign = record.ok ? ' ' : '!';
  const line = `${sign} ${record.node.padEnd(4)} ${call.padEnd(18)} ${took.padStart(9)}`;
  return `${line}  ${resultWords(record)}`.trimEnd();
};
