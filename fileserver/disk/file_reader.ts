/** Reads of whole files: from what is committed and not yet home, else from the image, verified. */

import { assert } from '../../protocol/assert.ts';
import type { FileNumber, Version } from '../../protocol/ids.ts';
import { fileSizeBytes } from '../../protocol/ids.ts';
import type { AllocationEntry } from './allocation_table.ts';
import { findBadBlock } from './block_checksums.ts';
import type { CommandQueue } from './command_queue.ts';
import type { DiskEvent } from './disk_events.ts';
import { Fifo } from './fifo.ts';
import type { FileMetas } from './file_metas.ts';
import type { FileChange } from './journal.ts';
import type { Layout } from './layout.ts';
import { CHECKSUM_ENTRY_BYTES } from './layout.ts';

export const READS_AT_ONCE = 64;
/** Reads that wait for others; the server must not have more requests open. */
export const READS_QUEUED_MAX = 65_536;

interface Read {
  readonly token: number;
  readonly file: FileNumber;
  /** The file's entry when its blocks were asked for: a commit meanwhile makes them useless. */
  entry: AllocationEntry;
  data: Uint8Array | undefined;
  checksums: Uint8Array | undefined;
  error: string | undefined;
  left: number;
}

interface Overlaid {
  readonly contents: Uint8Array;
  readonly sequence: number;
}

export class FileReader {
  readonly #layout: Layout;
  readonly #metas: FileMetas;
  readonly #commands: CommandQueue;
  readonly #emit: (event: DiskEvent) => void;
  #nextRead = 1;
  readonly #reads = new Map<number, Read>();
  readonly #queue = new Fifo<{ token: number; file: FileNumber }>();
  /** Committed contents that are not yet all in their home location. */
  readonly #overlay = new Map<FileNumber, Overlaid>();

  constructor(
    layout: Layout,
    metas: FileMetas,
    commands: CommandQueue,
    emit: (event: DiskEvent) => void,
  ) {
    this.#layout = layout;
    this.#metas = metas;
    this.#commands = commands;
    this.#emit = emit;
  }

  get isIdle(): boolean {
    return this.#reads.size === 0;
  }

  read(token: number, file: FileNumber): void {
    const entry = this.#metas.get(file);
    const overlaid = this.#overlay.get(file);
    if (overlaid !== undefined) {
      this.#answer(token, file, entry.version, overlaid.contents.slice());
    } else if (this.#reads.size >= READS_AT_ONCE) {
      assert(this.#queue.length < READS_QUEUED_MAX, `at most ${READS_QUEUED_MAX} reads wait`);
      this.#queue.push({ token, file });
    } else {
      const number = this.#nextRead++;
      const empty = { data: undefined, checksums: undefined, error: undefined, left: 0 };
      const read: Read = { token, file, entry, ...empty };
      this.#reads.set(number, read);
      this.#askFor(number, read);
    }
  }

  #askFor(number: number, read: Read): void {
    const { regions, geometry } = this.#layout;
    const { firstBlock, blocks } = read.entry;
    read.left = 2;
    this.#commands.read(
      regions.checksums.offset + firstBlock * CHECKSUM_ENTRY_BYTES,
      blocks * CHECKSUM_ENTRY_BYTES,
      { part: 'reader', read: number, piece: 'checksums' },
    );
    this.#commands.read(
      regions.data.offset + firstBlock * geometry.blockSizeBytes,
      fileSizeBytes(geometry),
      { part: 'reader', read: number, piece: 'data' },
    );
  }

  handlePiece(number: number, piece: 'checksums' | 'data', bytes: Uint8Array | string): void {
    const read = this.#reads.get(number);
    assert(read !== undefined && read.left > 0, `read ${number} is in flight`);
    if (typeof bytes === 'string') read.error = bytes;
    else read[piece] = bytes;
    read.left--;
    if (read.left > 0) return;
    const entry = this.#metas.get(read.file);
    const overlaid = this.#overlay.get(read.file);
    if (overlaid === undefined && entry.contentSequence !== read.entry.contentSequence) {
      read.entry = entry;
      read.error = undefined;
      this.#askFor(number, read);
      return;
    }
    this.#reads.delete(number);
    if (overlaid !== undefined) {
      this.#answer(read.token, read.file, entry.version, overlaid.contents.slice());
    } else {
      this.#verify(read, entry);
    }
    while (this.#reads.size < READS_AT_ONCE) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.read(next.token, next.file);
    }
  }

  #verify(read: Read, entry: AllocationEntry): void {
    const { token, file, data, checksums } = read;
    const { geometry, regions } = this.#layout;
    const { blockSizeBytes } = geometry;
    let reason = read.error;
    if (reason === undefined && data !== undefined && checksums !== undefined) {
      const { firstBlock, contentSequence } = entry;
      if (
        data.length < fileSizeBytes(geometry) ||
        checksums.length < entry.blocks * CHECKSUM_ENTRY_BYTES
      ) {
        reason = 'the image ends within its blocks or their checksums';
      } else {
        const bad = findBadBlock(data, checksums, blockSizeBytes, firstBlock, contentSequence);
        if (bad === undefined) {
          this.#answer(token, file, entry.version, data);
          return;
        }
        const offset = regions.data.offset + bad.block * blockSizeBytes;
        reason = `block ${bad.block} at offset ${offset}: ${bad.problem}`;
      }
    }
    reason = `file ${file}: ${reason ?? 'nothing was read'}`;
    this.#emit({ type: 'readFailed', token, file, reason });
  }

  #answer(token: number, file: FileNumber, version: Version, bytes: Uint8Array): void {
    this.#emit({ type: 'file', token, file, version, bytes });
  }

  /** The change is committed; its contents are read from memory until they are home. */
  committed(change: FileChange): void {
    const { entry, contents } = change;
    if (contents === undefined) return;
    // Deleted first, so that the map stays in the order of the sequences.
    this.#overlay.delete(entry.file);
    this.#overlay.set(entry.file, { contents, sequence: entry.contentSequence });
  }

  /** Everything below `sequence` is in its home location. */
  appliedBelow(sequence: number): void {
    for (const [file, overlaid] of this.#overlay) {
      if (overlaid.sequence >= sequence) break;
      this.#overlay.delete(file);
    }
  }

  /** Answers every open read with a failure. */
  fail(reason: string): void {
    const open = [...this.#reads.values(), ...this.#queue.drain()];
    this.#reads.clear();
    for (const { token, file } of open) this.#emit({ type: 'readFailed', token, file, reason });
  }
}
