/** Request sets: what one application does, a command a line (docs of `coopfs run`). Pure. */

import { isErrorCode, ERROR_CODES, type ErrorCode } from '../protocol/errors.ts';
import { parseText } from './request_text.ts';

/** How many lines a request set may have. */
export const LINES_LIMIT = 1_000_000;
/** How long one `sleep` may last, in ms. */
export const SLEEP_LIMIT_MS = 3_600_000;
/** How many malformed lines are told at once. */
export const ERRORS_LIMIT = 100;

/** What the command before it must have brought: bytes read, or an error. */
export type Expectation =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly line: number }
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly line: number };

type Action =
  // Any integer is a mode here: what is neither 0 nor 1 meets EINVAL when it is run.
  | { readonly name: 'open'; readonly file: number; readonly mode: number }
  | { readonly name: 'read'; readonly file: number; readonly length: number }
  | { readonly name: 'write'; readonly file: number; readonly bytes: Uint8Array }
  | { readonly name: 'close'; readonly file: number }
  | { readonly name: 'sleep'; readonly ms: number }
  | { readonly name: 'barrier'; readonly barrier: string };

/** One command with its line (from 1), its original text, and what `expect` lines say about it. */
export type Command = Action & {
  readonly line: number;
  readonly text: string;
  readonly expectation: Expectation | undefined;
};

export type RequestSet =
  | { readonly ok: true; readonly commands: readonly Command[] }
  /** One sentence for each malformed line: "set.txt:3: …, expected …". */
  | { readonly ok: false; readonly errors: readonly string[] };

const FORMS = {
  open: 'open <filenum> <mode>',
  read: 'read <filenum> <num of bytes>',
  write: 'write <filenum> <write string>',
  close: 'close <filenum>',
  sleep: 'sleep <ms>',
  barrier: 'barrier <name>',
  expect: 'expect <text>',
  'expect-error': 'expect-error <CODE>',
} as const;

type Word = keyof typeof FORMS;

const isWord = (word: string): word is Word => Object.hasOwn(FORMS, word);

const BARRIER_NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** What is wrong with a line; caught where its file and line number are known. */
class Malformed extends Error {}

const malformed = (wrong: string, expected: string): Malformed =>
  new Malformed(`${wrong}, expected ${expected}`);

const quote = (text: string | undefined): string => JSON.stringify(text ?? '');

const natural = (text: string | undefined, what: string, form: string): number => {
  if (text === undefined) throw malformed(`${what} is missing`, form);
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw malformed(`${what} is ${quote(text)}`, `a whole number of 0 to 2^53 - 1 in "${form}"`);
  }
  return value;
};

const modeOf = (text: string | undefined): number => {
  if (text === undefined) throw malformed('the mode is missing', FORMS.open);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw malformed(
      `the mode is ${quote(text)}`,
      `0 (read) or 1 (read and write) in "${FORMS.open}"`,
    );
  }
  return Number(text);
};

/** The words of a line, without what a `#` at the start of a word begins. */
const wordsOf = (rest: string): string[] => {
  const words = rest.split(/\s+/).filter((word) => word !== '');
  const comment = words.findIndex((word) => word.startsWith('#'));
  return comment === -1 ? words : words.slice(0, comment);
};

const countWords = (words: readonly string[], count: number, form: string): void => {
  const extra = words[count];
  if (extra !== undefined) throw malformed(`${quote(extra)} is too much`, form);
};

/** The bytes of a write string or of an expected text. */
const bytesOf = (rest: string, form: string): Uint8Array => {
  const parsed = parseText(rest);
  if ('wrong' in parsed) throw malformed(parsed.wrong, parsed.expected ?? form);
  return parsed.bytes;
};

const parseWrite = (rest: string): Action => {
  // One space or tab ends the number; everything after it belongs to the string.
  const [, number, , string] = /^\s*(\S*)(\s?)(.*)$/su.exec(rest) ?? [];
  const file = natural(number === '' ? undefined : number, 'the file number', FORMS.write);
  return { name: 'write', file, bytes: bytesOf(string ?? '', FORMS.write) };
};

const parseAction = (word: Exclude<Word, 'expect' | 'expect-error'>, rest: string): Action => {
  const words = wordsOf(rest);
  const form = FORMS[word];
  switch (word) {
    case 'open':
      countWords(words, 2, form);
      return {
        name: word,
        file: natural(words[0], 'the file number', form),
        mode: modeOf(words[1]),
      };
    case 'read': {
      countWords(words, 2, form);
      const file = natural(words[0], 'the file number', form);
      return { name: word, file, length: natural(words[1], 'the number of bytes', form) };
    }
    case 'write':
      return parseWrite(rest);
    case 'close':
      countWords(words, 1, form);
      return { name: word, file: natural(words[0], 'the file number', form) };
    case 'sleep': {
      countWords(words, 1, form);
      const ms = natural(words[0], 'the time', form);
      if (ms > SLEEP_LIMIT_MS) {
        throw malformed(`the time is ${ms} ms`, `at most ${SLEEP_LIMIT_MS} ms`);
      }
      return { name: word, ms };
    }
    case 'barrier': {
      countWords(words, 1, form);
      const barrier = words[0];
      if (barrier === undefined) throw malformed('the name is missing', form);
      if (!BARRIER_NAME.test(barrier)) {
        throw malformed(`the name is ${quote(barrier)}`, '1 to 64 of A-Z a-z 0-9 . _ -');
      }
      return { name: word, barrier };
    }
  }
};

const parseExpectation = (
  word: 'expect' | 'expect-error',
  rest: string,
  line: number,
): Expectation => {
  if (word === 'expect') return { kind: 'bytes', bytes: bytesOf(rest, FORMS.expect), line };
  const words = wordsOf(rest);
  const code = words[0];
  countWords(words, 1, FORMS[word]);
  if (code === undefined || !isErrorCode(code)) {
    throw malformed(`the code is ${quote(code)}`, `one of ${Object.keys(ERROR_CODES).join(' ')}`);
  }
  return { kind: 'error', code, line };
};

/** The command `expected` is about, with it. */
const withExpectation = (about: Command | undefined, expected: Expectation): Command => {
  const word = expected.kind === 'bytes' ? 'expect' : 'expect-error';
  const able = word === 'expect' ? ['read'] : ['open', 'read', 'write', 'close'];
  if (about === undefined || !able.includes(about.name)) {
    const before = about === undefined ? 'no command' : quote(about.text.trim());
    throw malformed(`"${word}" comes after ${before}`, `${able.join(', ')} before it`);
  }
  if (about.expectation !== undefined) {
    const { line } = about.expectation;
    throw malformed(
      `line ${line} already says what to expect of line ${about.line}`,
      'one "expect"',
    );
  }
  return { ...about, expectation: expected };
};

/** A hole stands for a malformed command: an expectation about one is not wrong as well. */
const isHole = (about: Command | undefined, commands: readonly unknown[]): boolean =>
  about === undefined && commands.length > 0;

const parseLine = (text: string, line: number, commands: (Command | undefined)[]): void => {
  const [, word, rest] = /^\s*(\S+)(.*)$/su.exec(text) ?? [];
  if (word === undefined || rest === undefined || word.startsWith('#')) return;
  if (!isWord(word)) {
    commands.push(undefined);
    throw malformed(`${quote(word)} is not a command`, `one of ${Object.keys(FORMS).join(', ')}`);
  }
  if (word === 'expect' || word === 'expect-error') {
    // The separator of an expected text is one character, as that of a write string is.
    const expected = parseExpectation(word, word === 'expect' ? rest.slice(1) : rest, line);
    const about = commands.at(-1);
    if (!isHole(about, commands)) commands[commands.length - 1] = withExpectation(about, expected);
    return;
  }
  const index = commands.push(undefined) - 1;
  commands[index] = { ...parseAction(word, rest), line, text, expectation: undefined };
};

/**
 * The commands of a request set. `fileName` names it in the errors. All malformed lines are told,
 * up to ERRORS_LIMIT; an expectation is part of the command it is about. A set may be empty.
 */
export const parseRequestSet = (text: string, fileName: string): RequestSet => {
  const lines = text.replace(/^\uFEFF/u, '').split(/\r?\n/u);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > LINES_LIMIT) {
    return {
      ok: false,
      errors: [`${fileName}: ${lines.length} lines, expected at most ${LINES_LIMIT}`],
    };
  }
  const commands: (Command | undefined)[] = [];
  const errors: string[] = [];
  let untold = 0;
  for (const [index, content] of lines.entries()) {
    try {
      parseLine(content, index + 1, commands);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      if (errors.length < ERRORS_LIMIT) errors.push(`${fileName}:${index + 1}: ${error.message}`);
      else untold += 1;
    }
  }
  if (untold > 0) errors.push(`${fileName}: and ${untold} more malformed lines`);
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, commands: commands.filter((command) => command !== undefined) };
};
