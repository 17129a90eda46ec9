/** The free-space map: one bit per data block, set where a file uses it; each page has its checksum. */

import { crc32c } from '../../protocol/crc32c.ts';
import { FREE_MAP_PAGE_BITS, SECTOR_BYTES } from './layout.ts';
import { viewOf } from './uint53.ts';

const CHECKSUM_AT = SECTOR_BYTES - 4;

const checksumOf = (page: Uint8Array, index: number): number => {
  const number = new Uint8Array(4);
  viewOf(number).setUint32(0, index, true);
  return crc32c(number, crc32c(page.subarray(0, CHECKSUM_AT)));
};

/** Page `index` of the map of a volume of which all `blocks` blocks are in use. */
export const fullFreeMapPage = (index: number, blocks: number): Uint8Array => {
  const page = new Uint8Array(SECTOR_BYTES);
  const used = Math.min(FREE_MAP_PAGE_BITS, blocks - index * FREE_MAP_PAGE_BITS);
  page.fill(0xff, 0, used >> 3);
  if (used % 8 !== 0) page[used >> 3] = (1 << (used % 8)) - 1;
  viewOf(page).setUint32(CHECKSUM_AT, checksumOf(page, index), true);
  return page;
};

/** What is wrong with page `index`, or undefined. Every block belongs to a file in this version. */
export const problemOfFreeMapPage = (
  page: Uint8Array,
  index: number,
  blocks: number,
): string | undefined => {
  if (viewOf(page).getUint32(CHECKSUM_AT, true) !== checksumOf(page, index)) {
    return 'its checksum is wrong';
  }
  const expected = fullFreeMapPage(index, blocks);
  const differs = page.findIndex((byte, at) => byte !== expected[at]);
  return differs === -1 ? undefined : `byte ${differs} does not say which blocks are in use`;
};
