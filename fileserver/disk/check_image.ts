/** I/O: checks an image that no server has open, piece by piece; changes nothing. */

import * as fs from 'node:fs/promises';

import type { FileNumber, Geometry } from '../../protocol/ids.ts';
import { fileSizeBytes } from '../../protocol/ids.ts';
import type { AllocationEntry } from './allocation_table.ts';
import { allocationOffset, decodeAllocationEntry } from './allocation_table.ts';
import { findBadBlock } from './block_checksums.ts';
import { problemOfFreeMapPage } from './free_map.ts';
import { readAll, requireFile } from './image_access.ts';
import { lockImage } from './image_lock.ts';
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
import { decodeNodeEntry } from './node_table.ts';
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

/** The home writes of the journal, in order, over what the image holds. */
interface Overlay {
  read(offset: number, length: number): Promise<Uint8Array>;
}

class Check {
  readonly #file: fs.FileHandle;
  readonly #findings: Finding[] = [];
  #cutShort = false;
  #blocksChecked = 0;
  #markedFiles = 0;
  #nodesNamed = new Set<number>();

  constructor(file: fs.FileHandle) {
    this.#file = file;
  }

  #find(place: string, offset: number, problem: string): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ place, offset, problem });
    else this.#cutShort = true;
  }

  async run(): Promise<CheckReport> {
    const superblock = await this.#checkSuperblocks();
    const layout = superblock && layoutOf(superblock.geometry, superblock.regions);
    let recordsToReplay = 0;
    if (typeof layout === 'string') this.#find('superblock', 0, layout);
    else if (superblock !== undefined && layout !== undefined) {
      recordsToReplay = await this.#checkVolume(superblock, layout);
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

  async #checkSuperblocks(): Promise<Superblock | undefined> {
    const bytes = await readAll(this.#file, 0, SUPERBLOCK_COPIES * SUPERBLOCK_BYTES);
    for (let copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
      const offset = copy * SUPERBLOCK_BYTES;
      const decoded = decodeSuperblock(bytes.subarray(offset, offset + SUPERBLOCK_BYTES));
      if (typeof decoded === 'string') this.#find(`superblock copy ${copy}`, offset, decoded);
    }
    const newest = newestSuperblock(bytes);
    return typeof newest === 'string' ? undefined : newest;
  }

  async #checkVolume(superblock: Superblock, layout: Layout): Promise<number> {
    const { size } = await this.#file.stat();
    if (size < layout.imageSizeBytes) {
      this.#find('image', size, `it ends here; it must have ${layout.imageSizeBytes} bytes`);
      return 0;
    }
    const { journal } = layout.regions;
    const ring = await readAll(this.#file, journal.offset, journal.length);
    const scan = scanJournal(ring, superblock.head, superblock.journalSalt);
    if (scan.tag === 'corrupt') {
      this.#find('journal', journal.offset + scan.offset, scan.reason);
    }
    const records = scan.tag === 'whole' ? scan.records : [];
    const image = overlayOf(this.#file, records, superblock.regions);
    await this.#checkFreeMap(image, layout);
    await this.#checkFiles(image, layout);
    await this.#checkNodes(image, layout);
    return records.length;
  }

  async #checkFreeMap(image: Overlay, layout: Layout): Promise<void> {
    const { offset, length } = layout.regions.freeMap;
    for (let index = 0; index * SECTOR_BYTES < length; index++) {
      const at = offset + index * SECTOR_BYTES;
      const page = await image.read(at, SECTOR_BYTES);
      const problem = problemOfFreeMapPage(page, index, layout.blocks);
      if (problem !== undefined) this.#find(`free-space map page ${index}`, at, problem);
    }
  }

  async #checkFiles(image: Overlay, layout: Layout): Promise<void> {
    for (let number = 0; number < layout.geometry.files; number++) {
      const file = number as FileNumber;
      const offset = layout.regions.allocation.offset + allocationOffset(file);
      const slot = await image.read(offset, ALLOCATION_ENTRY_BYTES);
      const entry = decodeAllocationEntry(slot, file, layout);
      if (typeof entry === 'string') {
        this.#find(`allocation entry of file ${file}`, offset, entry);
        continue;
      }
      if (entry.mark !== undefined) {
        this.#markedFiles++;
        this.#nodesNamed.add(entry.mark.owner).add(entry.mark.backup);
      }
      await this.#checkBlocks(image, layout, entry);
    }
  }

  async #checkBlocks(image: Overlay, layout: Layout, entry: AllocationEntry): Promise<void> {
    const { geometry, regions } = layout;
    const { blockSizeBytes } = geometry;
    const { firstBlock, blocks, contentSequence } = entry;
    const dataOffset = regions.data.offset + firstBlock * blockSizeBytes;
    const data = await image.read(dataOffset, fileSizeBytes(geometry));
    const checksums = await image.read(
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

  async #checkNodes(image: Overlay, layout: Layout): Promise<void> {
    const { offset } = layout.regions.nodes;
    for (let number = 0; number < NODES_MAX; number++) {
      const at = offset + number * NODE_ENTRY_BYTES;
      const { tag } = decodeNodeEntry(await image.read(at, NODE_ENTRY_BYTES));
      const place = `node ${number}`;
      if (tag === 'damaged') this.#find(place, at, 'its checksum is wrong');
      if (tag === 'free' && this.#nodesNamed.has(number)) {
        this.#find(place, at, 'a dirty mark names it, and it has no name');
      }
    }
  }
}

/** Large reads are served from a buffer of this size: the check goes through each region in order. */
const READ_AHEAD_BYTES = 256 * 1_024;

/**
 * The image as it will be when its journal is replayed. One read-ahead buffer per stretch of
 * `READ_AHEAD_BYTES` last used by a region keeps the number of system calls small.
 */
const overlayOf = (
  file: fs.FileHandle,
  records: readonly DecodedRecord[],
  regions: readonly Region[],
): Overlay => {
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
  const load = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = await readAll(file, offset, length);
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
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const region = regions.find((r) => offset >= r.offset && offset < r.offset + r.length);
    let buffer = buffers.get(region);
    if (
      buffer === undefined ||
      offset < buffer.offset ||
      offset + length > buffer.offset + buffer.bytes.length
    ) {
      buffer = { offset, bytes: await load(offset, Math.max(length, READ_AHEAD_BYTES)) };
      buffers.set(region, buffer);
    }
    return buffer.bytes.subarray(offset - buffer.offset, offset - buffer.offset + length);
  };
  return { read };
};

/**
 * Checks geometry, both superblocks, journal, tables and every block of an image, as they will be
 * once the journal is replayed. Throws FsError ENOENT if there is no such file, EBUSY if a server has it open.
 */
export const checkImage = async (imagePath: string): Promise<CheckReport> => {
  await requireFile(imagePath);
  const lock = await lockImage(imagePath);
  try {
    const file = await fs.open(imagePath, 'r');
    try {
      return await new Check(file).run();
    } finally {
      await file.close();
    }
  } finally {
    await lock.release();
  }
};
