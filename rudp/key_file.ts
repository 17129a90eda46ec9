/** I/O: keys in files: one a line, 64 hexadecimal digits; empty lines and lines with # do not count. */

import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { RudpError } from './errors.ts';
import { MAX_KEYS } from './limits.ts';
import { KEY_BYTES } from './noise.ts';

const KEY_LINE = new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, 'i');
/** Readable, writable by its owner alone. */
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/** A new key as a line of a key file, without its end. */
export const newKeyLine = (): string => randomBytes(KEY_BYTES).toString('hex');

/** Makes a key file with one new key. @throws what the file system throws: EEXIST if it is there. */
export const createKeyFile = (path: string): void => {
  writeFileSync(path, `${newKeyLine()}\n`, { flag: 'wx', mode: OWNER_ONLY });
};

/**
 * The keys in the text of a key file, in their order; the first is the one that is used.
 * @throws RudpError 'invalid' that names the line, and never shows what is in it.
 */
export const parseKeys = (text: string, path: string): Uint8Array[] => {
  const keys: Uint8Array[] = [];
  for (const [index, each] of text.split('\n').entries()) {
    const line = each.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (!KEY_LINE.test(line)) {
      const right = `a key is a line of ${2 * KEY_BYTES} hexadecimal digits`;
      throw new RudpError('invalid', `${path}, line ${index + 1} is no key: ${right}`);
    }
    keys.push(new Uint8Array(Buffer.from(line, 'hex')));
  }
  if (keys.length < 1 || keys.length > MAX_KEYS) {
    const right = `there must be 1 to ${MAX_KEYS}`;
    throw new RudpError('invalid', `${path} has ${keys.length} keys; ${right}`);
  }
  return keys;
};

/** @throws RudpError 'invalid' if the file cannot be read, or is none of keys. */
export const readKeyFile = (path: string): Uint8Array[] => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RudpError('invalid', `the key file cannot be read: ${why}`);
  }
  return parseKeys(text, path);
};

/** True if others than the file's owner can read or write it. @throws if there is no such file. */
export const isOpenToOthers = (path: string): boolean => (statSync(path).mode & OTHERS) !== 0;
