/**
 * The check of a whole image, piece by piece, without I/O: it yields what it wants to read and is given
 * the bytes. Whoever drives it has a file (check_image.ts) or an image in memory. It changes nothing.
 */

import type { FileNumber, Geometry } from '../../protocol/ids.ts';
import { fileSizeBytes } from '../../protocol/ids.ts';
import type { AllocationEntry } from './allocation_table.ts';
import { allocationOffset, decodeAllocationEntry } from './allocation_table.ts';
import { findBadBlock } from './block_checksums.ts';
import { problemOfFreeMapPage } from './free_map.ts';
import type { DecodedRecord } from './journal_record.ts';
import { scanJournal } from './journal_scan.ts';
import type { Layout, Region } from './layout.ts';
import {
  ALLOCATION_ENTRY_BYTES,
  CHECKSUM_ENTRY_BYTES,
  layoutOf,
  NODE_ENTRY_BYTES,
  NODES_MAX,
  SECTOR_BYTES,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_COPIES,
} from './layout.ts';
import { decodeNodeTable } from './node_table.ts';
import type { Superblock } from './superblock.ts';
import { decodeSuperblock, newestSuperblock } from './superblock.ts';

/** One thing that is wrong. */
interface Finding {
  /** What it is a part of: "superblock copy 1", "file 17", "journal". */
  readonly place: string;
  /** In the image, in bytes. */
  readonly offset: number;
  readonly problem: string;
}

export interface CheckReport {
  readonly findings: readonly Finding[];
  /** More was wrong than findings are kept. */
  readonly cutShort: boolean;
  /** Undefined if there is no usable superblock. */
  readonly geometry: Geometry | undefined;
  readonly volumeId: string | undefined;
  readonly clusterEpoch: number | undefined;
  readonly blocksChecked: number;
  readonly markedFiles: number;
  /** Records that the next start will replay: 0 after a clean close. */
  readonly recordsToReplay: number;
}

export const FINDINGS_MAX = 1_000;

/** A stretch of the image in bytes; it is answered with fewer if the image ends within it. */
export interface WantedBytes {
  readonly offset: number;
  readonly length: number;
}

type Reading<T> = Generator<WantedBytes, T, Uint8Array>;

/** The home writes of the journal, in order, over what the image holds. */
interface Overlay {
  read(offset: number, length: number): Reading<Uint8Array>;
}

class Check {
  readonly #sizeBytes: number;
  readonly #findings: Finding[] = [];
  #cutShort = false;
  #blocksChecked = 0;
  #markedFiles = 0;
  #nodesNamed = new Set<number>();

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  #find(place: string, offset: number, problem: string): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ place, offset, problem });
    else this.#cutShort = true;
  }

  *run(): Reading<CheckReport> {
    const superblock = yield* this.#checkSuperblocks();
    const layout = superblock && layoutOf(superblock.geometry, superblock.regions);
    let recordsToReplay = 0;
    if (typeof layout === 'string') this.#find('superblock', 0, layout);
    else if (superblock !== undefined && layout !== undefined) {
      recordsToReplay = yield* this.#checkVolume(superblock, layout);
    }
    return {
      findings: this.#findings,
      cutShort: this.#cutShort,
      geometry: superblock?.geometry,
      volumeId: superblock?.volumeId,
      clusterEpoch: superblock?.clusterEpoch,
      blocksChecked: this.#blocksChecked,
      markedFiles: this.#markedFiles,
      recordsToReplay,
    };
  }

  *#checkSuperblocks(): Reading<Superblock | undefined> {
    const bytes = yield { offset: 0, length: SUPERBLOCK_COPIES * SUPERBLOCK_BYTES };
    for (let copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
      const offset = copy * SUPERBLOCK_BYTES;
      const decoded = decodeSuperblock(bytes.subarray(offset, offset + SUPERBLOCK_BYTES));
      if (typeof decoded === 'string') this.#find(`superblock copy ${copy}`, offset, decoded);
    }
    const newest = newestSuperblock(bytes);
    return typeof newest === 'string' ? undefined : newest;
  }

  *#checkVolume(superblock: Superblock, layout: Layout): Reading<number> {
    const size = this.#sizeBytes;
    if (size < layout.imageSizeBytes) {
      this.#find('image', size, `it ends here; it must have ${layout.imageSizeBytes} bytes`);
      return 0;
    }
    const { journal } = layout.regions;
    const ring = yield { offset: journal.offset, length: journal.length };
    const scan = scanJournal(ring, superblock.head, superblock.journalSalt);
    if (scan.tag === 'corrupt') {
      this.#find('journal', journal.offset + scan.offset, scan.reason);
    }
    const records = scan.tag === 'whole' ? scan.records : [];
    const image = overlayOf(records, superblock.regions);
    yield* this.#checkFreeMap(image, layout);
    yield* this.#checkFiles(image, layout);
    yield* this.#checkNodes(image, layout);
    return records.length;
  }

  *#checkFreeMap(image: Overlay, layout: Layout): Reading<void> {
    const { offset, length } = layout.regions.freeMap;
    for (let index = 0; index * SECTOR_BYTES < length; index++) {
      const at = offset + index * SECTOR_BYTES;
      const page = yield* image.read(at, SECTOR_BYTES);
      const problem = problemOfFreeMapPage(page, index, layout.blocks);
      if (problem !== undefined) this.#find(`free-space map page ${index}`, at, problem);
    }
  }

  *#checkFiles(image: Overlay, layout: Layout): Reading<void> {
    for (let number = 0; number < layout.geometry.files; number++) {
      const file = number as FileNumber;
      const offset = layout.regions.allocation.offset + allocationOffset(file);
      const slot = yield* image.read(offset, ALLOCATION_ENTRY_BYTES);
      const entry = decodeAllocationEntry(slot, file, layout);
      if (typeof entry === 'string') {
        this.#find(`allocation entry of file ${file}`, offset, entry);
        continue;
      }
      if (entry.mark !== undefined) {
        this.#markedFiles++;
        this.#nodesNamed.add(entry.mark.owner).add(entry.mark.backup);
      }
      yield* this.#checkBlocks(image, layout, entry);
    }
  }

  *#checkBlocks(image: Overlay, layout: Layout, entry: AllocationEntry): Reading<void> {
    const { geometry, regions } = layout;
    const { blockSizeBytes } = geometry;
    const { firstBlock, blocks, contentSequence } = entry;
    const dataOffset = regions.data.offset + firstBlock * blockSizeBytes;
    const data = yield* image.read(dataOffset, fileSizeBytes(geometry));
    const checksums = yield* image.read(
      regions.checksums.offset + firstBlock * CHECKSUM_ENTRY_BYTES,
      blocks * CHECKSUM_ENTRY_BYTES,
    );
    for (let index = 0; index < blocks; index++) {
      const start = index * blockSizeBytes;
      const content = data.subarray(start, start + blockSizeBytes);
      const stored = checksums.subarray(index * CHECKSUM_ENTRY_BYTES);
      const block = firstBlock + index;
      const bad = findBadBlock(content, stored, blockSizeBytes, block, contentSequence);
      this.#blocksChecked++;
      if (bad !== undefined) {
        this.#find(`file ${entry.file}, block ${index}`, dataOffset + start, bad.problem);
      }
    }
  }

  *#checkNodes(image: Overlay, layout: Layout): Reading<void> {
    const { offset } = layout.regions.nodes;
    const table = yield* image.read(offset, NODES_MAX * NODE_ENTRY_BYTES);
    const entries = decodeNodeTable(table);
    for (const number of new Set([...entries.keys(), ...this.#nodesNamed])) {
      const at = offset + number * NODE_ENTRY_BYTES;
      const entry = entries.get(number);
      const place = `node ${number}`;
      if (entry?.tag === 'damaged') this.#find(place, at, 'its checksum is wrong');
      if (entry === undefined) this.#find(place, at, 'a dirty mark names it, and it has no name');
    }
  }
}

/** Large reads are served from a buffer of this size: the check goes through each region in order. */
const READ_AHEAD_BYTES = 256 * 1_024;

/**
 * The image as it will be when its journal is replayed. One read-ahead buffer per stretch of
 * `READ_AHEAD_BYTES` last used by a region keeps the number of system calls small.
 */
const overlayOf = (records: readonly DecodedRecord[], regions: readonly Region[]): Overlay => {
  const writes: { offset: number; bytes: Uint8Array }[] = [];
  for (const { items } of records) {
    if (typeof items === 'string') continue;
    for (const item of items) {
      if (item.tag !== 'write') continue;
      const region = regions.find(({ kind }) => kind === item.region);
      if (region !== undefined) {
        writes.push({ offset: region.offset + item.offset, bytes: item.bytes });
      }
    }
  }
  const buffers = new Map<Region | undefined, { offset: number; bytes: Uint8Array }>();
  const load = function* (offset: number, length: number): Reading<Uint8Array> {
    const bytes = yield { offset, length };
    const end = offset + bytes.length;
    for (const write of writes) {
      const from = Math.max(write.offset, offset);
      const to = Math.min(write.offset + write.bytes.length, end);
      if (from < to) {
        const part = write.bytes.subarray(from - write.offset, to - write.offset);
        bytes.set(part, from - offset);
      }
    }
    return bytes;
  };
  const read = function* (offset: number, length: number): Reading<Uint8Array> {
    const region = regions.find((r) => offset >= r.offset && offset < r.offset + r.length);
    let buffer = buffers.get(region);
    if (
      buffer === undefined ||
      offset < buffer.offset ||
      offset + length > buffer.offset + buffer.bytes.length
    ) {
      buffer = { offset, bytes: yield* load(offset, Math.max(length, READ_AHEAD_BYTES)) };
      buffers.set(region, buffer);
    }
    return buffer.bytes.subarray(offset - buffer.offset, offset - buffer.offset + length);
  };
  return { read };
};

/**
 * Checks geometry, both superblocks, journal, tables and every block of an image of `sizeBytes` bytes, as
 * they will be once the journal is replayed.
 */
export const checkVolume = (sizeBytes: number): Reading<CheckReport> => new Check(sizeBytes).run();
