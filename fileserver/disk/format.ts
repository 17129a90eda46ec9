/** What a freshly formatted image holds, piece by piece, so that no volume is too large for memory. */

import type { FileNumber } from '../../protocol/ids.ts';
import { fileSizeBytes, FIRST_VERSION } from '../../protocol/ids.ts';
import { encodeAllocationEntry } from './allocation_table.ts';
import { encodeBlockChecksums } from './block_checksums.ts';
import type { Fill } from './fill.ts';
import { checkFill, fillContents } from './fill.ts';
import { fullFreeMapPage } from './free_map.ts';
import type { Layout } from './layout.ts';
import {
  ALLOCATION_ENTRY_BYTES,
  CHECKSUM_ENTRY_BYTES,
  SECTOR_BYTES,
  SUPERBLOCK_COPIES,
} from './layout.ts';
import type { Superblock } from './superblock.ts';
import { encodeSuperblock, superblockOffset } from './superblock.ts';

/** Pieces are about this large: few system calls, little memory. */
const PIECE_BYTES = 1_024 * 1_024;

/** Bytes and where in the image they belong. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface NewVolume {
  /** 32 hexadecimal digits, unique. */
  readonly volumeId: string;
  /** 32 random bits that no application knows. */
  readonly journalSalt: number;
  readonly fill: Fill;
}

/** One region made of equal items, in pieces of many items. */
function* itemPieces(
  offset: number,
  itemBytes: number,
  count: number,
  makeItem: (index: number) => Uint8Array,
): Generator<Piece> {
  const perPiece = Math.max(1, Math.floor(PIECE_BYTES / itemBytes));
  for (let first = 0; first < count; first += perPiece) {
    const items = Math.min(perPiece, count - first);
    const bytes = new Uint8Array(items * itemBytes);
    for (let item = 0; item < items; item++) bytes.set(makeItem(first + item), item * itemBytes);
    yield { offset: offset + first * itemBytes, bytes };
  }
}

/**
 * All of a new image but its superblocks. The journal is written out, as zeros, so that its syncs
 * need not wait for the Unix file system to find room; nodes and catalog stay holes, which read as zeros.
 */
export function* formatPieces(layout: Layout, fill: Fill): Generator<Piece> {
  checkFill(fill);
  const { geometry, regions, blocks } = layout;
  const { blockSizeBytes, blocksPerFile } = geometry;
  const sizeBytes = fileSizeBytes(geometry);
  yield* itemPieces(regions.allocation.offset, ALLOCATION_ENTRY_BYTES, geometry.files, (file) =>
    encodeAllocationEntry({
      file: file as FileNumber,
      firstBlock: file * blocksPerFile,
      blocks: blocksPerFile,
      version: FIRST_VERSION,
      mark: undefined,
      outcomes: [],
      losses: 0,
      contentSequence: 0,
    }),
  );
  const pages = regions.freeMap.length / SECTOR_BYTES;
  yield* itemPieces(regions.freeMap.offset, SECTOR_BYTES, pages, (page) =>
    fullFreeMapPage(page, blocks),
  );
  const checksumBytes = blocksPerFile * CHECKSUM_ENTRY_BYTES;
  yield* itemPieces(regions.checksums.offset, checksumBytes, geometry.files, (file) => {
    const contents = fillContents(file, sizeBytes, fill);
    return encodeBlockChecksums(contents, blockSizeBytes, file * blocksPerFile, 0);
  });
  const zeros = new Uint8Array(SECTOR_BYTES);
  const sectors = regions.journal.length / SECTOR_BYTES;
  yield* itemPieces(regions.journal.offset, SECTOR_BYTES, sectors, () => zeros);
  yield* itemPieces(regions.data.offset, sizeBytes, geometry.files, (file) =>
    fillContents(file, sizeBytes, fill),
  );
}

/** Both superblock copies; they are written last, when the rest is synced: half an image is none. */
export const formatSuperblocks = (layout: Layout, volume: NewVolume): Piece[] =>
  Array.from({ length: SUPERBLOCK_COPIES }, (_, sequence) => {
    const superblock: Superblock = {
      ...volume,
      sequence,
      geometry: layout.geometry,
      clusterEpoch: 0,
      longestLeaseMs: 0,
      // Record 0 is never written: it is the sequence of blocks as they were formatted.
      head: { position: 0, sequence: 1 },
      regions: Object.values(layout.regions),
    };
    return { offset: superblockOffset(sequence), bytes: encodeSuperblock(superblock) };
  });
