/** The checksum table: 16 bytes per data block, over its content, its number and its record's sequence. */

import { crc32c } from '../../protocol/crc32c.ts';
import { CHECKSUM_ENTRY_BYTES } from './layout.ts';
import { getUint53, putUint53, viewOf } from './uint53.ts';

const SEQUENCE_AT = 8;

/** Where a block number and a sequence are laid out to be added to a checksum. */
const tail = new Uint8Array(16);
const tailView = viewOf(tail);

/** Number and sequence are covered so that a block in the wrong place, or an old one, is seen. */
const blockChecksum = (content: Uint8Array, block: number, sequence: number): number => {
  putUint53(tailView, 0, block);
  putUint53(tailView, 8, sequence);
  return crc32c(tail, crc32c(content));
};

/** The table entries of the blocks in `contents`, which begin at `firstBlock`. */
export const encodeBlockChecksums = (
  contents: Uint8Array,
  blockSizeBytes: number,
  firstBlock: number,
  sequence: number,
): Uint8Array => {
  const blocks = contents.length / blockSizeBytes;
  const bytes = new Uint8Array(blocks * CHECKSUM_ENTRY_BYTES);
  const view = viewOf(bytes);
  for (let index = 0; index < blocks; index++) {
    const content = contents.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes);
    const at = index * CHECKSUM_ENTRY_BYTES;
    view.setUint32(at, blockChecksum(content, firstBlock + index, sequence), true);
    putUint53(view, at + SEQUENCE_AT, sequence);
  }
  return bytes;
};

export interface BadBlock {
  /** Of the whole volume. */
  readonly block: number;
  readonly problem: string;
}

/** The first block of `contents` that is not what its entry and its file's entry say, if any. */
export const findBadBlock = (
  contents: Uint8Array,
  entries: Uint8Array,
  blockSizeBytes: number,
  firstBlock: number,
  sequence: number,
): BadBlock | undefined => {
  const view = viewOf(entries);
  for (let index = 0; index * blockSizeBytes < contents.length; index++) {
    const at = index * CHECKSUM_ENTRY_BYTES;
    const block = firstBlock + index;
    const stored = getUint53(view, at + SEQUENCE_AT);
    if (stored !== sequence) {
      const problem = `its checksum is of record ${stored}, its file is of record ${sequence}`;
      return { block, problem };
    }
    const content = contents.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes);
    if (view.getUint32(at, true) !== blockChecksum(content, block, sequence)) {
      return { block, problem: 'its checksum is wrong' };
    }
  }
  return undefined;
};
