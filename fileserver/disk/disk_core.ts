/**
 * The disk of the file server, without I/O: commands go out, their results come in, and events tell
 * the file server what became of its reads and commits. Opening recovers whatever a crash left.
 */

import { assert } from '../../protocol/assert.ts';
import type { FileNumber } from '../../protocol/ids.ts';
import type { DiskCommand, Purpose } from './command_queue.ts';
import { CommandQueue } from './command_queue.ts';
import { CommitEncoding } from './commit_encoding.ts';
import type { CommitRecord, DiskEvent, FileMeta } from './disk_events.ts';
import { Fifo } from './fifo.ts';
import { FileReader } from './file_reader.ts';
import { Journal } from './journal.ts';
import type { OpeningResult, Recovered } from './recovery.ts';
import { Recovery } from './recovery.ts';

export type { DiskCommand } from './command_queue.ts';
export type { CommitRecord, DiskEvent, FileMeta } from './disk_events.ts';

interface OpenVolume extends Recovered {
  readonly journal: Journal;
  readonly reader: FileReader;
  readonly encoding: CommitEncoding;
}

type State =
  | { tag: 'new' }
  | { tag: 'opening'; recovery: Recovery }
  /** Recovered in memory; the journal is bringing the disk up to it until 'opened' is reported. */
  | { tag: 'open'; volume: OpenVolume; reported: boolean }
  | { tag: 'closing'; volume: OpenVolume }
  /** Closed, refused or failed: results that still come in are dropped. */
  | { tag: 'ended'; reason: string };

export class DiskCore {
  #state: State = { tag: 'new' };
  readonly #commands = new CommandQueue();
  readonly #events = new Fifo<DiskEvent>();

  /** Starts reading the image; ends in an event 'opened', 'refused' or 'failed'. */
  open(): void {
    assert(this.#state.tag === 'new', 'a disk is opened once');
    const recovery = new Recovery(this.#commands);
    this.#state = { tag: 'opening', recovery };
    recovery.start();
  }

  /**
   * Reads a whole file as of its newest committed contents → event 'file', or 'readFailed' if a
   * checksum does not match or the disk fails.
   */
  readFile(token: number, file: FileNumber): void {
    if (this.#state.tag === 'ended') {
      this.#emit({ type: 'readFailed', token, file, reason: this.#state.reason });
      return;
    }
    this.#openVolume().reader.read(token, file);
  }

  /**
   * Journals the records as one: after a crash there are all of them or none. → event 'committed'
   * once they are synced; none ever comes from a disk that has failed. The bytes are copied.
   */
  commit(token: number, records: readonly CommitRecord[]): void {
    if (this.#state.tag === 'ended') return;
    assert(this.#state.tag === 'open' && this.#state.reported, 'commits need an open disk');
    const { encoding, journal } = this.#state.volume;
    journal.append(encoding.encode(token, journal.nextSequence, records));
    journal.pump();
  }

  /** What is known of a file, as of its newest committed record. */
  meta(file: FileNumber): FileMeta {
    const { metas, nodes } = this.#openVolume();
    const { version, mark, outcomes, losses } = metas.get(file);
    if (mark === undefined) return { version, mark, outcomes, losses };
    const { term, owner, backup } = mark;
    const named = { term, owner: nodes.name(owner), backup: nodes.name(backup) };
    return { version, mark: named, outcomes, losses };
  }

  /** All files with a dirty mark, in rising order. Looks at every file of the volume. */
  markedFiles(): FileNumber[] {
    return this.#openVolume().metas.markedFiles();
  }

  /** All files that have lost writes, in rising order. Looks at every file of the volume. */
  filesWithLosses(): FileNumber[] {
    return this.#openVolume().metas.filesWithLosses();
  }

  /** Commits what is queued, brings everything home, writes the superblock → event 'closed'. */
  close(): void {
    switch (this.#state.tag) {
      case 'new':
      case 'opening':
        this.#end('the disk is closed');
        this.#emit({ type: 'closed' });
        return;
      case 'open': {
        const { volume, reported } = this.#state;
        if (!reported) {
          this.#end('the disk is closed');
          this.#emit({ type: 'closed' });
          return;
        }
        this.#state = { tag: 'closing', volume };
        volume.journal.close();
        this.#advance(volume);
        return;
      }
      case 'closing':
      case 'ended':
        return;
      default:
        this.#state satisfies never;
    }
  }

  pollCommand(): DiskCommand | undefined {
    return this.#commands.poll();
  }

  pollEvent(): DiskEvent | undefined {
    return this.#events.shift();
  }

  /** The result of a read; fewer bytes than asked for mean that the image ends there. */
  handleRead(token: number, bytes: Uint8Array): void {
    const purpose = this.#commands.settle(token);
    if (this.#state.tag === 'ended') return;
    if (purpose.part === 'opening') {
      assert(this.#state.tag === 'opening', 'tables are read on opening');
      this.#handleOpening(this.#state.recovery.handleRead(purpose.step, bytes));
      return;
    }
    assert(purpose.part === 'reader', 'the journal does not read');
    const volume = this.#openVolume();
    volume.reader.handlePiece(purpose.read, purpose.piece, bytes);
    this.#advance(volume);
  }

  handleWritten(token: number): void {
    const purpose = this.#commands.settle(token);
    if (this.#state.tag === 'ended') return;
    const volume = this.#openVolume();
    assert(purpose.part === 'journal', 'only the journal writes');
    const { step } = purpose;
    switch (step) {
      case 'group':
        volume.journal.groupWritten();
        break;
      case 'superblock':
        volume.journal.superblockWritten();
        break;
      case 'home':
        volume.reader.appliedBelow(volume.journal.homeWritten());
        break;
      case 'sync':
        assert(false, 'a sync is answered as synced');
      default:
        step satisfies never;
    }
    this.#advance(volume);
  }

  handleSynced(token: number): void {
    const purpose = this.#commands.settle(token);
    if (this.#state.tag === 'ended') return;
    assert(purpose.part === 'journal' && purpose.step === 'sync', 'only the journal syncs');
    const volume = this.#openVolume();
    for (const record of volume.journal.synced()) {
      volume.encoding.committed(record);
      for (const change of record.changes) volume.reader.committed(change);
      this.#emit({ type: 'committed', token: record.token });
    }
    this.#advance(volume);
  }

  /**
   * The command failed. A failed read of a file fails that read alone. A failed write or sync stops
   * the disk: the kernel may have dropped the pages, so that a later sync would promise too much.
   */
  handleFailed(token: number, error: string): void {
    const purpose = this.#commands.settle(token);
    if (this.#state.tag === 'ended') return;
    if (purpose.part === 'reader') {
      const volume = this.#openVolume();
      volume.reader.handlePiece(purpose.read, purpose.piece, error);
      this.#advance(volume);
      return;
    }
    this.#fail(purpose, error);
  }

  #fail(purpose: Purpose, error: string): void {
    const reason = `the disk failed in a ${purpose.part} ${'step' in purpose ? purpose.step : ''}: ${error}`;
    const volume = 'volume' in this.#state ? this.#state.volume : undefined;
    this.#end(reason);
    volume?.reader.fail(reason);
    this.#emit({ type: 'failed', reason });
  }

  #end(reason: string): void {
    this.#state = { tag: 'ended', reason };
    this.#commands.clear();
  }

  #openVolume(): OpenVolume {
    assert('volume' in this.#state, `a disk that is ${this.#state.tag} is not asked`);
    return this.#state.volume;
  }

  #handleOpening(result: OpeningResult): void {
    switch (result.tag) {
      case 'more':
        return;
      case 'refused':
        this.#end(result.reason);
        this.#emit({ type: 'refused', reason: result.reason });
        return;
      case 'recovered': {
        const { recovered } = result;
        const { layout, metas, nodes } = recovered;
        const journal = new Journal(recovered.start, this.#commands);
        journal.setRecoveredEpoch(recovered.epoch);
        const emit = this.#emit.bind(this);
        const reader = new FileReader(layout, metas, this.#commands, emit);
        const encoding = new CommitEncoding(layout, metas, nodes);
        const volume = { ...recovered, journal, reader, encoding };
        this.#state = { tag: 'open', volume, reported: false };
        this.#advance(volume);
        return;
      }
      default:
        result satisfies never;
    }
  }

  /** After any result: what can be started is, and what is reached is reported. */
  #advance(volume: OpenVolume): void {
    const { journal, reader, layout, start, replayed } = volume;
    journal.pump();
    if (this.#state.tag === 'open' && !this.#state.reported && !journal.isOpening) {
      this.#state.reported = true;
      const { clusterEpoch, longestLeaseMs } = journal.epoch;
      const { volumeId } = start.superblock;
      const { geometry } = layout;
      this.#emit({ type: 'opened', geometry, volumeId, clusterEpoch, longestLeaseMs, replayed });
    }
    if (this.#state.tag === 'closing' && journal.isClosed && reader.isIdle) {
      this.#end('the disk is closed');
      this.#emit({ type: 'closed' });
    }
  }

  #emit(event: DiskEvent): void {
    this.#events.push(event);
  }
}
