/** From what the file server commits to journal items, home writes and changes of the tables. */

import { assert } from '../../protocol/assert.ts';
import type { FileNumber, NodeId } from '../../protocol/ids.ts';
import { fileSizeBytes } from '../../protocol/ids.ts';
import type { AllocationEntry, StoredMark } from './allocation_table.ts';
import { allocationOffset, encodeAllocationEntry, LOSSES_MAX } from './allocation_table.ts';
import { encodeBlockChecksums } from './block_checksums.ts';
import type { CommitRecord, DirtyMark } from './disk_events.ts';
import type { FileMetas } from './file_metas.ts';
import type { EpochChange, FileChange, HomeWrite, QueuedRecord } from './journal.ts';
import type { JournalItem } from './journal_record.ts';
import { encodeRecord } from './journal_record.ts';
import type { Layout, RegionName } from './layout.ts';
import { CHECKSUM_ENTRY_BYTES, NODE_ENTRY_BYTES, NODES_MAX } from './layout.ts';
import type { NodeNames } from './node_table.ts';
import { encodeNodeEntry } from './node_table.ts';
import { isUint53 } from './uint53.ts';

type WriteItem = Extract<JournalItem, { tag: 'write' }>;

/** One commit under construction. */
interface Draft {
  readonly sequence: number;
  readonly writes: WriteItem[];
  readonly changes: FileChange[];
  epoch: EpochChange | undefined;
}

const lossesAfter = ({ losses }: AllocationEntry, { afterLoss }: { afterLoss?: true }): number =>
  Math.min(losses + (afterLoss === true ? 1 : 0), LOSSES_MAX);

export class CommitEncoding {
  readonly #layout: Layout;
  readonly #metas: FileMetas;
  readonly #nodes: NodeNames;
  /** Entries of files with commits on their way: each builds on the one before it. */
  readonly #staged = new Map<FileNumber, { entry: AllocationEntry; sequence: number }>();

  constructor(layout: Layout, metas: FileMetas, nodes: NodeNames) {
    this.#layout = layout;
    this.#metas = metas;
    this.#nodes = nodes;
  }

  encode(token: number, sequence: number, records: readonly CommitRecord[]): QueuedRecord {
    const draft: Draft = { sequence, writes: [], changes: [], epoch: undefined };
    for (const record of records) this.#add(draft, record);
    const items: JournalItem[] = [...draft.writes];
    if (draft.epoch !== undefined) items.push({ tag: 'epoch', ...draft.epoch });
    const homeWrites = draft.writes.map((write) => this.#homeWrite(write));
    const bytes = encodeRecord(sequence, items);
    return { token, sequence, bytes, homeWrites, changes: draft.changes, epoch: draft.epoch };
  }

  /** The record is committed: its entries are those of the tables now. */
  committed(record: QueuedRecord): void {
    for (const { entry } of record.changes) {
      this.#metas.set(entry);
      const staged = this.#staged.get(entry.file);
      if (staged?.sequence === record.sequence) this.#staged.delete(entry.file);
    }
  }

  #homeWrite(write: WriteItem): HomeWrite {
    const region = Object.values(this.#layout.regions).find(({ kind }) => kind === write.region);
    assert(region !== undefined, `the volume has a region of kind ${write.region}`);
    assert(write.offset + write.bytes.length <= region.length, 'a write stays within its region');
    return { offset: region.offset + write.offset, bytes: write.bytes };
  }

  #add(draft: Draft, record: CommitRecord): void {
    switch (record.kind) {
      case 'mark': {
        const mark = this.#storedMark(draft, record.mark);
        this.#change(draft, { ...this.#entry(record.file), mark }, undefined);
        return;
      }
      case 'contents':
        this.#addContents(draft, record);
        return;
      case 'unmark': {
        const before = this.#entry(record.file);
        const { version } = record;
        const losses = lossesAfter(before, record);
        this.#change(draft, { ...before, losses, version, mark: undefined }, undefined);
        return;
      }
      case 'epoch': {
        const { clusterEpoch, longestLeaseMs } = record;
        assert(isUint53(clusterEpoch), 'the cluster epoch is a whole number below 2^53');
        assert(longestLeaseMs >= 0, 'the longest lease is a number of milliseconds');
        draft.epoch = { clusterEpoch, longestLeaseMs };
        return;
      }
      default:
        record satisfies never;
    }
  }

  #addContents(draft: Draft, record: Extract<CommitRecord, { kind: 'contents' }>): void {
    const { geometry } = this.#layout;
    const { file, version, outcomes } = record;
    assert(
      record.bytes.length === fileSizeBytes(geometry),
      `the contents of file ${file} have ${record.bytes.length} of ${fileSizeBytes(geometry)} bytes`,
    );
    // The caller keeps its bytes; these must not change until they are home.
    const bytes = record.bytes.slice();
    const before = this.#entry(file);
    const { firstBlock } = before;
    const { blockSizeBytes } = geometry;
    const checksums = encodeBlockChecksums(bytes, blockSizeBytes, firstBlock, draft.sequence);
    this.#write(draft, 'checksums', firstBlock * CHECKSUM_ENTRY_BYTES, checksums);
    this.#write(draft, 'data', firstBlock * blockSizeBytes, bytes);
    const contentSequence = draft.sequence;
    const outcomesKept = [...outcomes];
    const losses = lossesAfter(before, record);
    const kept = { outcomes: outcomesKept, losses, contentSequence };
    const entry = { ...before, ...kept, version, mark: undefined };
    this.#change(draft, entry, bytes);
  }

  #entry(file: FileNumber): AllocationEntry {
    return this.#staged.get(file)?.entry ?? this.#metas.get(file);
  }

  #change(draft: Draft, entry: AllocationEntry, contents: Uint8Array | undefined): void {
    const bytes = encodeAllocationEntry(entry);
    this.#write(draft, 'allocation', allocationOffset(entry.file), bytes);
    this.#staged.set(entry.file, { entry, sequence: draft.sequence });
    draft.changes.push({ entry, contents });
  }

  #write(draft: Draft, region: RegionName, offset: number, bytes: Uint8Array): void {
    const { kind } = this.#layout.regions[region];
    draft.writes.push({ tag: 'write', region: kind, offset, bytes });
  }

  #storedMark(draft: Draft, mark: DirtyMark): StoredMark {
    const owner = this.#nodeNumber(draft, mark.owner, undefined);
    const backup = this.#nodeNumber(draft, mark.backup, owner);
    return { term: mark.term, owner, backup };
  }

  /** The number of a node, given to it by this very record if it has none. */
  #nodeNumber(draft: Draft, name: NodeId, keep: number | undefined): number {
    const known = this.#nodes.numberOf(name);
    if (known !== undefined) return known;
    const number = this.#nodes.pickNumber(() => this.#nodesInUse(keep));
    assert(number !== undefined, `dirty marks name at most ${NODES_MAX} nodes`);
    this.#nodes.set(number, name);
    this.#write(draft, 'nodes', number * NODE_ENTRY_BYTES, encodeNodeEntry(name));
    return number;
  }

  #nodesInUse(keep: number | undefined): Set<number> {
    const inUse = this.#metas.markedNodes();
    for (const { entry } of this.#staged.values()) {
      if (entry.mark !== undefined) inUse.add(entry.mark.owner).add(entry.mark.backup);
    }
    if (keep !== undefined) inUse.add(keep);
    return inUse;
  }
}
