/** What an application may pass: each check names the value it refuses, and what would be right. Pure. */

import { FsError } from '../protocol/errors.ts';
import type { FileNumber } from '../protocol/ids.ts';

/** The longest read or write that can be asked for, in bytes; a longer one is EINVAL. */
export const LENGTH_LIMIT_BYTES = 2 ** 32 - 1;

export const MODE_READ = 0;
export const MODE_WRITE = 1;
export type Mode = typeof MODE_READ | typeof MODE_WRITE;

const shown = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeof value;
};

/** A file of a volume of `files` files. Throws FsError EINVAL, or ENOENT beyond the volume. */
export const checkFile = (file: unknown, files: number): FileNumber => {
  if (typeof file !== 'number' || !Number.isInteger(file) || file < 0) {
    throw new FsError('EINVAL', `the file number is ${shown(file)}, must be a whole number from 0`);
  }
  if (file >= files) {
    throw new FsError(
      'ENOENT',
      `there is no file ${file}: the volume has the files 0 to ${files - 1}`,
    );
  }
  return file as FileNumber;
};

/** 0 or 'r' reads, 1 or 'w' reads and writes. Throws FsError EINVAL. */
export const checkMode = (mode: unknown): Mode => {
  if (mode === MODE_READ || mode === 'r') return MODE_READ;
  if (mode === MODE_WRITE || mode === 'w') return MODE_WRITE;
  const right = "must be 0 or 'r' to read, 1 or 'w' to read and write";
  throw new FsError('EINVAL', `the mode is ${shown(mode)}, ${right}`);
};

/** A number of bytes. Throws FsError EINVAL. */
export const checkLength = (length: unknown): number => {
  if (
    typeof length !== 'number' ||
    !Number.isInteger(length) ||
    length < 0 ||
    length > LENGTH_LIMIT_BYTES
  ) {
    const right = `must be a whole number of 0 to ${LENGTH_LIMIT_BYTES}`;
    throw new FsError('EINVAL', `the number of bytes is ${shown(length)}, ${right}`);
  }
  return length;
};

/** The first `length` bytes of an application's buffer. Throws FsError EINVAL. */
export const checkBuffer = (buffer: unknown, length: unknown): Uint8Array => {
  if (!(buffer instanceof Uint8Array)) {
    throw new FsError('EINVAL', `the buffer is ${shown(buffer)}, must be a Uint8Array or a Buffer`);
  }
  const wanted = checkLength(length);
  if (wanted > buffer.length) {
    throw new FsError('EINVAL', `${wanted} bytes do not fit in a buffer of ${buffer.length}`);
  }
  return buffer.subarray(0, wanted);
};

const encoder = new TextEncoder();

/** The bytes to write; a string goes out as UTF-8. Throws FsError EINVAL. */
export const checkContents = (contents: unknown): Uint8Array => {
  if (typeof contents === 'string') return encoder.encode(contents);
  if (contents instanceof Uint8Array) return contents;
  throw new FsError(
    'EINVAL',
    `what to write is ${shown(contents)}, must be a Uint8Array or a string`,
  );
};
