/** A disk core on a fake disk, command by command, in an order that a seed decides. */

import { expect } from 'chai';
import type { DiskCommand, DiskEvent } from '../../../fileserver/disk/disk_core.ts';
import { DiskCore } from '../../../fileserver/disk/disk_core.ts';
import type { ClientId, FileNumber, Geometry, NodeId } from '../../../protocol/ids.ts';
import type { FakeDisk, Random } from './fake_disk.ts';
import { deliver, pick } from './fake_disk.ts';

export const SMALL: Geometry = { files: 6, blockSizeBytes: 64, blocksPerFile: 3 };
/** The smallest journal for it: it wraps after a few commits. */
export const SMALL_JOURNAL_BYTES = 16_384;

export const file = (number: number): FileNumber => number as FileNumber;
export const node = (name: string): NodeId => name as NodeId;
export const client = (number: number): ClientId => number as ClientId;

export class DiskRun {
  readonly core = new DiskCore();
  readonly disk: FakeDisk;
  readonly #random: Random | undefined;
  readonly pending: DiskCommand[] = [];
  readonly events: DiskEvent[] = [];

  /** Without `random`, commands complete in the order they were given. */
  constructor(disk: FakeDisk, random?: Random) {
    this.disk = disk;
    this.#random = random;
    this.core.open();
  }

  #collect(): void {
    for (let c = this.core.pollCommand(); c; c = this.core.pollCommand()) {
      this.disk.begin(c);
      this.pending.push(c);
    }
    for (let e = this.core.pollEvent(); e; e = this.core.pollEvent()) this.events.push(e);
  }

  /** Completes one command; false if there is none. */
  step(): boolean {
    this.#collect();
    if (this.pending.length === 0) return false;
    const index = this.#random ? pick(this.#random, this.pending.length) : 0;
    const [command] = this.pending.splice(index, 1);
    deliver(this.core, this.disk.execute(command!));
    this.#collect();
    return true;
  }

  /** Completes commands until there are none; returns the events since the last call. */
  settle(): DiskEvent[] {
    while (this.step());
    this.#collect();
    return this.events.splice(0);
  }

  /** Runs until the next command is of this kind and returns it, held back. */
  holdNext(kind: DiskCommand['do']): DiskCommand {
    for (;;) {
      this.#collect();
      if (this.pending[0]?.do === kind) return this.pending.shift()!;
      expect(this.step(), `a ${kind} comes`).to.equal(true);
    }
  }

  /** Executes without delivering. */
  executeHeld(command: DiskCommand): void {
    this.disk.execute(command);
  }

  complete(command: DiskCommand): void {
    deliver(this.core, this.disk.execute(command));
  }
}

/** A run that has opened its disk. */
export const opened = (disk: FakeDisk, random?: Random): DiskRun => {
  const run = new DiskRun(disk, random);
  expect(run.settle().map(({ type }) => type)).to.deep.equal(['opened']);
  return run;
};

/** Why the disk is not opened. */
export const refusal = (disk: FakeDisk): string => {
  const [event, ...more] = new DiskRun(disk).settle();
  expect(more).to.deep.equal([]);
  if (event?.type !== 'refused') throw new Error(`not refused, but ${event?.type ?? 'nothing'}`);
  return event.reason;
};

/** The bytes of a file, or why they cannot be read. */
export const readNow = (run: DiskRun, number: number): Uint8Array | string => {
  run.core.readFile(1_000_000 + number, file(number));
  const answer = run.settle().find((event) => 'token' in event && event.token >= 1_000_000);
  if (answer?.type === 'file') return answer.bytes;
  if (answer?.type === 'readFailed') return answer.reason;
  throw new Error('no answer to a read');
};

export const commitNow = (run: DiskRun, ...records: Parameters<DiskCore['commit']>[1]): void => {
  run.core.commit(77, records);
  expect(run.settle().map(({ type }) => type)).to.deep.equal(['committed']);
};

/** A write-back that fills the file with one byte. */
export const contents = (number: number, byte: number, counter = byte, geometry = SMALL) => ({
  kind: 'contents' as const,
  file: file(number),
  version: { term: 1, counter },
  bytes: new Uint8Array(geometry.blockSizeBytes * geometry.blocksPerFile).fill(byte),
  outcomes: [],
});

export const mark = (number: number, term: number, owner = 'n1', backup = 'n2') => ({
  kind: 'mark' as const,
  file: file(number),
  mark: { term, owner: node(owner), backup: node(backup) },
});
