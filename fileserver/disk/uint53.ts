/** Whole numbers below 2^53 in eight little-endian bytes: a number stays exact, a bigint would be slow. */

import { assert } from '../../protocol/assert.ts';

const TWO_TO_32 = 0x1_0000_0000;

export const isUint53 = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

export const isUint32 = (value: number): boolean => isUint53(value) && value < TWO_TO_32;

/** True for a time in milliseconds, as a double may hold one. */
export const isDuration = (valueMs: number): boolean => Number.isFinite(valueMs) && valueMs >= 0;

export const putUint53 = (view: DataView, offset: number, value: number): void => {
  assert(isUint53(value), `${value} is not a whole number from 0 to 2^53 - 1`);
  view.setUint32(offset, value % TWO_TO_32, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_TO_32), true);
};

/** The number stored at `offset`; bytes that hold 2^53 or more give a value that `isUint53` rejects. */
export const getUint53 = (view: DataView, offset: number): number =>
  view.getUint32(offset + 4, true) * TWO_TO_32 + view.getUint32(offset, true);

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
