/** The printable characters that a file holds before anything is written to it. */

import { FsError } from '../../protocol/errors.ts';

/** One printable character for every byte, or undefined for a text that tells file and offset. */
export type Fill = string | undefined;

const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;

/** The default text repeats in cells of this many bytes: `file 0000000007 at 0000000064 | `. */
const CELL_BYTES = 32;
const DIGITS = 10;

export const isPrintable = (code: number): boolean =>
  code >= FIRST_PRINTABLE && code <= LAST_PRINTABLE;

/** Throws FsError EINVAL unless `fill` is undefined or one printable ASCII character. */
export const checkFill = (fill: Fill): void => {
  if (fill === undefined) return;
  if (fill.length !== 1 || !isPrintable(fill.charCodeAt(0))) {
    throw new FsError('EINVAL', `the fill is "${fill}"; it must be one printable ASCII character`);
  }
};

const cellText = (file: number, offset: number): string =>
  `file ${String(file).padStart(DIGITS, '0')} at ${String(offset).padStart(DIGITS, '0')} | `;

/** The byte at `offset` of a freshly formatted file. */
export const fillByte = (file: number, offset: number, fill?: Fill): number => {
  if (fill !== undefined) return fill.charCodeAt(0);
  const within = offset % CELL_BYTES;
  return cellText(file, offset - within).charCodeAt(within);
};

/** The first `sizeBytes` bytes of a freshly formatted file, in memory of its own. */
export const fillContents = (file: number, sizeBytes: number, fill?: Fill): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes);
  if (fill !== undefined) return bytes.fill(fill.charCodeAt(0));
  for (let cell = 0; cell < sizeBytes; cell += CELL_BYTES) {
    const text = cellText(file, cell);
    const end = Math.min(CELL_BYTES, sizeBytes - cell);
    for (let at = 0; at < end; at++) bytes[cell + at] = text.charCodeAt(at);
  }
  return bytes;
};
