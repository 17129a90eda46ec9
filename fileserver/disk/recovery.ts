/**
 * Opening an image: superblocks, end of the image, node table, journal, allocation table, one after
 * the other; then the journal's records over what the tables said. Nothing is written here: the
 * journal writes the recovered places home first of all, and both superblock copies after them.
 */

import { assert } from '../../protocol/assert.ts';
import type { FileNumber } from '../../protocol/ids.ts';
import { allocationOffset, decodeAllocationEntry } from './allocation_table.ts';
import type { CommandQueue, OpeningStep } from './command_queue.ts';
import { FileMetas } from './file_metas.ts';
import type { EpochChange, HomeWrite, JournalStart } from './journal.ts';
import { GROUP_RECORDS_MAX } from './journal.ts';
import type { DecodedRecord, JournalItem } from './journal_record.ts';
import { scanJournal } from './journal_scan.ts';
import type { Layout, Region } from './layout.ts';
import {
  ALLOCATION_ENTRY_BYTES,
  layoutOf,
  NODE_ENTRY_BYTES,
  NODES_MAX,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_COPIES,
} from './layout.ts';
import { decodeNodeEntry, decodeNodeTable, NodeNames } from './node_table.ts';
import type { Superblock } from './superblock.ts';
import { newestSuperblock } from './superblock.ts';

/** Entries of the allocation table that are read at a time. */
const ENTRIES_PER_READ = 4_096;
/** How many damaged entries are remembered, to see whether the journal makes them good. */
const DAMAGED_ENTRIES_MAX = 65_536;

/** An opened volume. */
export interface Recovered {
  readonly layout: Layout;
  readonly metas: FileMetas;
  readonly nodes: NodeNames;
  readonly start: JournalStart;
  readonly epoch: EpochChange;
  readonly replayed: number;
}

export type OpeningResult =
  { tag: 'more' } | { tag: 'refused'; reason: string } | { tag: 'recovered'; recovered: Recovered };

const MORE: OpeningResult = { tag: 'more' };
const refuse = (reason: string): OpeningResult => ({ tag: 'refused', reason });

/** What is known once a superblock was read. */
interface Volume {
  readonly superblock: Superblock;
  readonly layout: Layout;
  readonly metas: FileMetas;
  readonly nodes: NodeNames;
  readonly damagedNodes: Set<number>;
  /** The damaged entries of the allocation table, and what is wrong with each. */
  readonly damagedFiles: Map<number, string>;
  epoch: EpochChange;
  nextFile: number;
  journal: { records: DecodedRecord[]; start: JournalStart } | undefined;
}

export class Recovery {
  readonly #commands: CommandQueue;
  #volume: Volume | undefined;

  constructor(commands: CommandQueue) {
    this.#commands = commands;
  }

  start(): void {
    this.#read('superblocks', 0, SUPERBLOCK_COPIES * SUPERBLOCK_BYTES);
  }

  #read(step: OpeningStep, offset: number, length: number): OpeningResult {
    this.#commands.read(offset, length, { part: 'opening', step });
    return MORE;
  }

  handleRead(step: OpeningStep, bytes: Uint8Array): OpeningResult {
    if (step === 'superblocks') return this.#handleSuperblocks(bytes);
    const volume = this.#volume;
    assert(volume !== undefined, 'the superblocks come first');
    switch (step) {
      case 'end':
        return this.#handleEnd(volume, bytes);
      case 'nodes':
        return this.#handleNodes(volume, bytes);
      case 'journal':
        return this.#handleJournal(volume, bytes);
      case 'allocation':
        return this.#handleAllocation(volume, bytes);
      default:
        return step satisfies never;
    }
  }

  #handleSuperblocks(bytes: Uint8Array): OpeningResult {
    const superblock = newestSuperblock(bytes);
    if (typeof superblock === 'string') return refuse(`this is no volume: ${superblock}`);
    const layout = layoutOf(superblock.geometry, superblock.regions);
    if (typeof layout === 'string') return refuse(`the superblock cannot be right: ${layout}`);
    const { files, blocksPerFile } = layout.geometry;
    this.#volume = {
      superblock,
      layout,
      metas: new FileMetas(files, blocksPerFile),
      nodes: new NodeNames(),
      damagedNodes: new Set(),
      damagedFiles: new Map(),
      epoch: superblock,
      nextFile: 0,
      journal: undefined,
    };
    return this.#read('end', layout.imageSizeBytes - 1, 1);
  }

  #handleEnd(volume: Volume, bytes: Uint8Array): OpeningResult {
    const { imageSizeBytes, regions } = volume.layout;
    if (bytes.length === 0) {
      return refuse(`the image is cut off: it must have ${imageSizeBytes} bytes`);
    }
    return this.#read('nodes', regions.nodes.offset, NODES_MAX * NODE_ENTRY_BYTES);
  }

  #handleNodes(volume: Volume, bytes: Uint8Array): OpeningResult {
    for (const [number, entry] of decodeNodeTable(bytes)) {
      if (entry.tag === 'name') volume.nodes.set(number, entry.name);
      if (entry.tag === 'damaged') volume.damagedNodes.add(number);
    }
    const { journal } = volume.layout.regions;
    return this.#read('journal', journal.offset, journal.length);
  }

  #handleJournal(volume: Volume, bytes: Uint8Array): OpeningResult {
    const { superblock, layout } = volume;
    const ring = layout.regions.journal;
    if (bytes.length < ring.length) return refuse('the image ends within its journal');
    const scan = scanJournal(bytes, superblock.head, superblock.journalSalt);
    if (scan.tag === 'corrupt') {
      return refuse(
        `the journal is corrupt at offset ${ring.offset + scan.offset}: ${scan.reason}`,
      );
    }
    const recovered = recoveredWrites(scan.records, superblock.regions);
    if (typeof recovered === 'string') return refuse(recovered);
    // No sequence is ever used twice: a torn group, of which any record may be on the disk, had at
    // most this many.
    const sequence = scan.end.sequence + GROUP_RECORDS_MAX;
    const end = { position: scan.end.position, sequence };
    volume.journal = { records: scan.records, start: { ring, superblock, recovered, end } };
    return this.#readEntries(volume);
  }

  #readEntries(volume: Volume): OpeningResult {
    const { regions, geometry } = volume.layout;
    const entries = Math.min(ENTRIES_PER_READ, geometry.files - volume.nextFile);
    const offset = regions.allocation.offset + allocationOffset(volume.nextFile);
    return this.#read('allocation', offset, entries * ALLOCATION_ENTRY_BYTES);
  }

  #handleAllocation(volume: Volume, bytes: Uint8Array): OpeningResult {
    for (let at = 0; at + ALLOCATION_ENTRY_BYTES <= bytes.length; at += ALLOCATION_ENTRY_BYTES) {
      const file = volume.nextFile++ as FileNumber;
      const slot = bytes.subarray(at, at + ALLOCATION_ENTRY_BYTES);
      const entry = decodeAllocationEntry(slot, file, volume.layout);
      if (typeof entry !== 'string') {
        volume.metas.set(entry);
        continue;
      }
      if (volume.damagedFiles.size === DAMAGED_ENTRIES_MAX) {
        return refuse(
          `more than ${DAMAGED_ENTRIES_MAX} entries of the allocation table are damaged`,
        );
      }
      volume.damagedFiles.set(file, entry);
    }
    if (bytes.length === 0) return refuse('the image ends within its allocation table');
    return volume.nextFile < volume.layout.geometry.files
      ? this.#readEntries(volume)
      : finish(volume);
  }
}

/** The home writes of all records, the last one for each place, or what is wrong with one. */
const recoveredWrites = (
  records: readonly DecodedRecord[],
  regions: readonly Region[],
): HomeWrite[] | string => {
  const places = new Map<number, HomeWrite>();
  for (const { sequence, items } of records) {
    assert(typeof items !== 'string', 'the scan refuses records it does not know');
    for (const item of items) {
      if (item.tag !== 'write') continue;
      const region = regions.find(({ kind }) => kind === item.region);
      if (region === undefined || item.offset + item.bytes.length > region.length) {
        return `journal record ${sequence} writes to ${item.offset} of region ${item.region}, which has no such place`;
      }
      const offset = region.offset + item.offset;
      places.set(offset, { offset, bytes: item.bytes });
    }
  }
  return [...places.values()];
};

/** Brings the tables in memory to where the record leaves them; what is wrong with it otherwise. */
const replayItem = (volume: Volume, item: JournalItem): string | undefined => {
  if (item.tag === 'epoch') {
    volume.epoch = item;
    return undefined;
  }
  const { regions } = volume.layout;
  if (item.region === regions.nodes.kind) {
    const number = item.offset / NODE_ENTRY_BYTES;
    const entry = decodeNodeEntry(item.bytes);
    if (entry.tag !== 'name') return `the journaled node ${number} is damaged`;
    volume.nodes.set(number, entry.name);
    volume.damagedNodes.delete(number);
  }
  if (item.region === regions.allocation.kind) {
    const file = (item.offset / ALLOCATION_ENTRY_BYTES) as FileNumber;
    const entry = decodeAllocationEntry(item.bytes, file, volume.layout);
    if (typeof entry === 'string') return `the journaled entry of file ${file} is bad: ${entry}`;
    volume.metas.set(entry);
    volume.damagedFiles.delete(file);
  }
  return undefined;
};

const problemOfTables = (volume: Volume): string | undefined => {
  const { regions } = volume.layout;
  for (const [file, problem] of volume.damagedFiles) {
    const offset = regions.allocation.offset + allocationOffset(file);
    return `the allocation table's entry of file ${file} at offset ${offset} is damaged: ${problem}`;
  }
  for (const number of volume.metas.markedNodes()) {
    if (volume.nodes.has(number) && !volume.damagedNodes.has(number)) continue;
    const offset = regions.nodes.offset + number * NODE_ENTRY_BYTES;
    return `node ${number}, which a dirty mark names, is damaged in the node table at offset ${offset}`;
  }
  return undefined;
};

const finish = (volume: Volume): OpeningResult => {
  const { journal, layout, metas, nodes } = volume;
  assert(journal !== undefined, 'the journal is read before the allocation table');
  for (const { items } of journal.records) {
    for (const item of items as readonly JournalItem[]) {
      const problem = replayItem(volume, item);
      if (problem !== undefined) return refuse(problem);
    }
  }
  const problem = problemOfTables(volume);
  if (problem !== undefined) return refuse(problem);
  const { start, records } = journal;
  const recovered = { layout, metas, nodes, start, epoch: volume.epoch, replayed: records.length };
  return { tag: 'recovered', recovered };
};
