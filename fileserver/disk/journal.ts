/**
 * The redo journal, a ring of groups. A record goes: queued, written with its group, synced
 * (committed), written to its home locations (applied), those synced (durable), and at last passed
 * by the heads of both superblock copies: only then is its place in the ring used again, so that
 * either copy alone is enough to start from.
 *
 * One group is in flight at a time; records that come meanwhile go with the next, under one sync.
 */

import { assert } from '../../protocol/assert.ts';
import type { AllocationEntry } from './allocation_table.ts';
import type { CommandQueue } from './command_queue.ts';
import { sealRecord } from './journal_record.ts';
import type { Region } from './layout.ts';
import { roundUp, SECTOR_BYTES } from './layout.ts';
import type { JournalPoint, Superblock } from './superblock.ts';
import { encodeSuperblock, superblockOffset } from './superblock.ts';

export const GROUP_RECORDS_MAX = 1_024;
/** A group stops growing here; a single larger record is a group of its own. */
const GROUP_BYTES_MAX = 1_024 * 1_024;
/** Commits that wait for their group; the server must not have more requests open. */
export const COMMITS_QUEUED_MAX = 65_536;
/** Home locations written at one time. */
const HOME_WRITES_AT_ONCE = 256;

/** What a file is after a record: its entry, and its new contents if the record has any. */
export interface FileChange {
  readonly entry: AllocationEntry;
  readonly contents: Uint8Array | undefined;
}

export interface EpochChange {
  readonly clusterEpoch: number;
  readonly longestLeaseMs: number;
}

/** Bytes and where in the image they belong. */
export interface HomeWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface QueuedRecord {
  /** The caller's name for the commit. */
  readonly token: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly homeWrites: readonly HomeWrite[];
  readonly changes: readonly FileChange[];
  readonly epoch: EpochChange | undefined;
}

interface Group {
  readonly records: readonly QueuedRecord[];
  readonly end: JournalPoint;
  writesLeft: number;
}

/** Synced records on their way home; later writes to the same place have replaced earlier ones. */
interface Batch {
  readonly waiting: HomeWrite[];
  readonly end: JournalPoint;
  inFlight: number;
}

interface Sync {
  readonly group: boolean;
  readonly applied: JournalPoint;
  readonly superblock: Superblock | undefined;
}

export interface JournalStart {
  readonly ring: Region;
  readonly superblock: Superblock;
  /** What the scan found: to be written home before anything else. */
  readonly recovered: readonly HomeWrite[];
  /** Where the next group goes, under sequences that no torn group can have used. */
  readonly end: JournalPoint;
}

export class Journal {
  readonly #commands: CommandQueue;
  readonly #ring: Region;
  #phase: 'opening' | 'running' | 'closing' = 'opening';
  /** Superblock copies to be written once everything is durable: both on opening, one on closing. */
  #superblocksOwed = 2;
  #nextSequence: number;
  #queue: QueuedRecord[] = [];
  #group: Group | undefined;
  #synced: Group[] = [];
  #batch: Batch | undefined;
  #sync: Sync | undefined;
  #tail: JournalPoint;
  #applied: JournalPoint;
  #durable: JournalPoint;
  #superblock: Superblock;
  #nextSuperblock: { tag: 'writing' | 'written'; superblock: Superblock } | undefined;
  /** The head of the older superblock copy: from here on the ring is kept. */
  #olderHead: JournalPoint;
  #epoch: EpochChange;

  constructor(start: JournalStart, commands: CommandQueue) {
    this.#commands = commands;
    this.#ring = start.ring;
    this.#superblock = start.superblock;
    this.#olderHead = start.superblock.head;
    this.#epoch = start.superblock;
    this.#tail = start.end;
    this.#nextSequence = start.end.sequence;
    this.#batch = { waiting: [...start.recovered], end: start.end, inFlight: 0 };
    this.#applied = start.superblock.head;
    this.#durable = start.superblock.head;
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** The largest record that is taken; it leaves room for the rest to be checkpointed. */
  get recordBytesMax(): number {
    return this.#ring.length / 2;
  }

  get isOpening(): boolean {
    return this.#phase === 'opening';
  }

  /** True when a closing journal has nothing left to do. */
  get isClosed(): boolean {
    return this.#phase === 'closing' && this.#superblocksOwed === 0 && this.#sync === undefined;
  }

  get epoch(): EpochChange {
    return this.#epoch;
  }

  setRecoveredEpoch(epoch: EpochChange): void {
    assert(this.isOpening, 'epochs are recovered on opening');
    this.#epoch = epoch;
  }

  append(record: QueuedRecord): void {
    assert(this.#phase === 'running', 'commits are taken between opening and closing');
    assert(record.sequence === this.#nextSequence, 'records are queued in their order');
    assert(record.bytes.length <= this.recordBytesMax, 'a record leaves room in the journal');
    assert(this.#queue.length < COMMITS_QUEUED_MAX, `at most ${COMMITS_QUEUED_MAX} commits wait`);
    this.#nextSequence++;
    this.#queue.push(record);
  }

  close(): void {
    assert(this.#phase === 'running', 'an open journal is closed, and once');
    this.#phase = 'closing';
    this.#superblocksOwed = 1;
  }

  /** Starts whatever can be started; to be called after every change. */
  pump(): void {
    this.#startGroup();
    this.#startHomeWrites();
    this.#startSuperblock();
    this.#startSync();
  }

  #startGroup(): void {
    if (this.#group !== undefined || this.#queue.length === 0) return;
    const room = this.#ring.length - (this.#tail.position - this.#olderHead.position);
    let count = 0;
    let size = 0;
    for (const record of this.#queue) {
      const grown = size + record.bytes.length;
      if (count === GROUP_RECORDS_MAX || (count > 0 && grown > GROUP_BYTES_MAX)) break;
      if (roundUp(grown, SECTOR_BYTES) > room) break;
      size = grown;
      count++;
    }
    // Without room for one record, more than half of the ring is in use: a checkpoint is wanted.
    if (count > 0) this.#writeGroup(this.#queue.splice(0, count), size);
  }

  #writeGroup(records: QueuedRecord[], size: number): void {
    const bytes = new Uint8Array(roundUp(size, SECTOR_BYTES));
    const seal = { groupFirst: this.#tail.sequence, salt: this.#superblock.journalSalt };
    let at = 0;
    records.forEach((record, index) => {
      sealRecord(record.bytes, { ...seal, lastOfGroup: index === records.length - 1 });
      bytes.set(record.bytes, at);
      at += record.bytes.length;
    });
    assert(at === size, 'a group is as long as its records');
    const start = this.#tail.position % this.#ring.length;
    const straight = Math.min(bytes.length, this.#ring.length - start);
    const purpose = { part: 'journal', step: 'group' } as const;
    this.#commands.write(this.#ring.offset + start, bytes.subarray(0, straight), purpose);
    if (straight < bytes.length) {
      this.#commands.write(this.#ring.offset, bytes.subarray(straight), purpose);
    }
    this.#tail = {
      position: this.#tail.position + bytes.length,
      sequence: this.#tail.sequence + records.length,
    };
    this.#group = { records, end: this.#tail, writesLeft: straight < bytes.length ? 2 : 1 };
  }

  #startHomeWrites(): void {
    const last = this.#synced.at(-1);
    if (this.#batch === undefined && last !== undefined) {
      const places = new Map<number, HomeWrite>();
      for (const group of this.#synced) {
        for (const record of group.records) {
          for (const write of record.homeWrites) places.set(write.offset, write);
        }
      }
      this.#synced = [];
      this.#batch = { waiting: [...places.values()].reverse(), end: last.end, inFlight: 0 };
    }
    const batch = this.#batch;
    if (batch === undefined) return;
    while (batch.inFlight < HOME_WRITES_AT_ONCE) {
      const write = batch.waiting.pop();
      if (write === undefined) break;
      this.#commands.write(write.offset, write.bytes, { part: 'journal', step: 'home' });
      batch.inFlight++;
    }
    if (batch.inFlight === 0) {
      this.#applied = batch.end;
      this.#batch = undefined;
    }
  }

  /** True if the ring is filling up: the superblocks' heads are to follow. */
  #wantsRoom(): boolean {
    return this.#tail.position - this.#olderHead.position > this.#ring.length / 2;
  }

  #isSettled(): boolean {
    return this.#queue.length === 0 && this.#durable.sequence === this.#nextSequence;
  }

  #startSuperblock(): void {
    if (this.#nextSuperblock !== undefined) return;
    const owed = this.#superblocksOwed > 0 && this.#isSettled();
    const useful = this.#durable.position > this.#olderHead.position;
    if (!owed && !(this.#wantsRoom() && useful && !this.isOpening)) return;
    const superblock: Superblock = {
      ...this.#superblock,
      clusterEpoch: this.#epoch.clusterEpoch,
      longestLeaseMs: this.#epoch.longestLeaseMs,
      sequence: this.#superblock.sequence + 1,
      head: this.#durable,
    };
    this.#nextSuperblock = { tag: 'writing', superblock };
    const offset = superblockOffset(superblock.sequence);
    const purpose = { part: 'journal', step: 'superblock' } as const;
    this.#commands.write(offset, encodeSuperblock(superblock), purpose);
  }

  #startSync(): void {
    if (this.#sync !== undefined) return;
    // A group that is being written will need a sync of its own in a moment: one for both.
    if (this.#group !== undefined && this.#group.writesLeft > 0) return;
    const group = this.#group !== undefined;
    const next = this.#nextSuperblock;
    const superblock = next?.tag === 'written' ? next.superblock : undefined;
    const checkpoint =
      (this.#superblocksOwed > 0 || this.#wantsRoom()) &&
      this.#applied.sequence > this.#durable.sequence;
    if (!group && superblock === undefined && !checkpoint) return;
    this.#sync = { group, applied: this.#applied, superblock };
    this.#commands.sync({ part: 'journal', step: 'sync' });
  }

  groupWritten(): void {
    assert(this.#group !== undefined && this.#group.writesLeft > 0, 'a group is being written');
    this.#group.writesLeft--;
  }

  superblockWritten(): void {
    assert(this.#nextSuperblock?.tag === 'writing', 'a superblock is being written');
    this.#nextSuperblock.tag = 'written';
  }

  /** Returns the sequence that all applied records are below. */
  homeWritten(): number {
    assert(
      this.#batch !== undefined && this.#batch.inFlight > 0,
      'a home location is being written',
    );
    this.#batch.inFlight--;
    this.#startHomeWrites();
    return this.#applied.sequence;
  }

  /** Returns the records that are committed now. */
  synced(): readonly QueuedRecord[] {
    const sync = this.#sync;
    assert(sync !== undefined, 'a sync is in flight');
    this.#sync = undefined;
    this.#durable = sync.applied;
    if (sync.superblock !== undefined) this.#superblockSynced(sync.superblock);
    const group = this.#group;
    if (!sync.group) return [];
    assert(group?.writesLeft === 0, 'a synced group was written');
    this.#group = undefined;
    this.#synced.push(group);
    for (const record of group.records) this.#epoch = record.epoch ?? this.#epoch;
    return group.records;
  }

  #superblockSynced(superblock: Superblock): void {
    assert(superblock.head.position >= this.#superblock.head.position, 'heads never go back');
    this.#olderHead = this.#superblock.head;
    this.#superblock = superblock;
    this.#nextSuperblock = undefined;
    if (this.#superblocksOwed === 0 || superblock.head.sequence !== this.#nextSequence) return;
    this.#superblocksOwed--;
    if (this.isOpening && this.#superblocksOwed === 0) this.#phase = 'running';
  }
}
