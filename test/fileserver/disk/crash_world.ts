/**
 * One server on one disk over several lives, and what it must find after each crash: everything that was
 * acknowledged, every commit whole or not at all, and nothing for fsck to complain of.
 */

import { expect } from 'chai';
import type { CommitRecord, FileMeta } from '../../../fileserver/disk/disk_core.ts';
import { fillContents } from '../../../fileserver/disk/fill.ts';
import { checkVolume } from '../../../fileserver/disk/volume_check.ts';
import { fileSizeBytes, FIRST_VERSION } from '../../../protocol/ids.ts';
import { client, DiskRun, file, node, SMALL, SMALL_JOURNAL_BYTES } from './disk_run.ts';
import type { Random } from './fake_disk.ts';
import { FakeDisk, pick, randomOf } from './fake_disk.ts';

const SIZE_BYTES = fileSizeBytes(SMALL);

interface FileState extends FileMeta {
  readonly bytes: Uint8Array;
}
interface Snapshot {
  readonly files: readonly FileState[];
  readonly clusterEpoch: number;
  readonly longestLeaseMs: number;
}

const FORMATTED: Snapshot = {
  files: Array.from({ length: SMALL.files }, (_, number) => ({
    version: FIRST_VERSION,
    mark: undefined,
    outcomes: [],
    losses: 0,
    bytes: fillContents(number, SIZE_BYTES),
  })),
  clusterEpoch: 0,
  longestLeaseMs: 0,
};

const after = (snapshot: Snapshot, records: readonly CommitRecord[]): Snapshot => {
  const files = [...snapshot.files];
  let { clusterEpoch, longestLeaseMs } = snapshot;
  for (const record of records) {
    if (record.kind === 'epoch') ({ clusterEpoch, longestLeaseMs } = record);
    else if (record.kind === 'mark') {
      files[record.file] = { ...files[record.file]!, mark: record.mark };
    } else {
      const before = files[record.file]!;
      const { version, afterLoss } = record;
      const losses = before.losses + (afterLoss === true ? 1 : 0);
      const { outcomes, bytes } = record.kind === 'contents' ? record : before;
      files[record.file] = { version, outcomes, bytes, losses, mark: undefined };
    }
  }
  return { files, clusterEpoch, longestLeaseMs };
};

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const sameFile = (a: FileState, b: FileState): boolean =>
  sameBytes(a.bytes, b.bytes) &&
  JSON.stringify([a.version, a.mark ?? 0, a.outcomes]) ===
    JSON.stringify([b.version, b.mark ?? 0, b.outcomes]);

/** What fsck finds on a disk. */
export const findingsOn = (disk: FakeDisk): readonly unknown[] => {
  const check = checkVolume(disk.sizeBytes);
  let step = check.next();
  while (step.done !== true) step = check.next(disk.read(step.value.offset, step.value.length));
  return step.value.findings;
};

/** `history[k]` is the volume after k commits. */
export class World {
  readonly disk: FakeDisk;
  readonly random: Random;
  history: Snapshot[] = [FORMATTED];
  committed = 0;
  #unique = 0;
  #epoch = { clusterEpoch: 0, longestLeaseMs: 0 };
  crashes = 0;
  replayed = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.disk = FakeDisk.formatted(SMALL, seed, { journalBytes: SMALL_JOURNAL_BYTES });
  }

  #randomRecord(): CommitRecord {
    const unique = ++this.#unique;
    const number = file(pick(this.random, SMALL.files));
    const kind = this.random();
    if (kind < 0.1) return { kind: 'epoch', clusterEpoch: unique, longestLeaseMs: unique * 1.5 };
    const version = { term: unique, counter: unique + 2 ** 40 };
    if (kind < 0.2) return { kind: 'unmark', file: number, version };
    if (kind < 0.5) {
      const owner = node(`n${pick(this.random, 5)}`);
      const backup = node(`n${pick(this.random, 5)}`);
      return { kind: 'mark', file: number, mark: { term: unique, owner, backup } };
    }
    const bytes = new Uint8Array(SIZE_BYTES).map(
      (_, at) => (unique * 31 + at * (unique | 1)) & 255,
    );
    const outcomes = Array.from({ length: pick(this.random, 9) }, (_, index) => ({
      client: client(2 ** 45 + unique),
      operation: index,
      count: unique,
    }));
    return { kind: 'contents', file: number, version, bytes, outcomes };
  }

  commit(run: DiskRun): void {
    const records = Array.from({ length: 1 + pick(this.random, 3) }, () => this.#randomRecord());
    run.core.commit(this.history.length, records);
    this.history.push(after(this.history.at(-1)!, records));
  }

  /** Commits and reads until the crash, checking every answer. */
  live(run: DiskRun, steps: number, afterStep: () => void = () => undefined): void {
    const reads = new Map<number, { file: number; since: number }>();
    let nextRead = 1_000_000;
    for (let step = 0; step < steps; step++) {
      if (this.random() < 0.3) this.commit(run);
      if (this.random() < 0.15) {
        const number = pick(this.random, SMALL.files);
        reads.set(nextRead, { file: number, since: this.committed });
        run.core.readFile(nextRead++, file(number));
      }
      run.step();
      for (const event of run.events.splice(0)) {
        if (event.type === 'committed') {
          expect(event.token, 'commits are answered in order').to.equal(++this.committed);
        } else if (event.type === 'file') {
          const read = reads.get(event.token)!;
          const allowed = this.history.slice(read.since, this.committed + 1);
          const found = allowed.some(({ files }) =>
            sameBytes(files[read.file]!.bytes, event.bytes),
          );
          expect(found, `read of file ${read.file} is fresh`).to.equal(true);
        } else throw new Error(`unexpected ${JSON.stringify(event)}`);
      }
      afterStep();
    }
  }

  crash(): void {
    this.crashes++;
    if (this.random() < 0.2) this.disk.kill();
    else this.disk.crash();
  }

  /** Opens after a crash, with crashes on the way, and checks what is there. */
  reopen(): DiskRun {
    while (this.random() < 0.4) {
      const run = new DiskRun(this.disk, this.random);
      for (let step = pick(this.random, 40); step > 0; step--) run.step();
      this.crash();
    }
    const run = this.open(this.random);
    this.verify(run);
    return run;
  }

  open(random?: Random): DiskRun {
    const run = new DiskRun(this.disk, random);
    const [event] = run.settle();
    if (event?.type !== 'opened') throw new Error(JSON.stringify(event));
    this.replayed += event.replayed;
    this.#epoch = event;
    return run;
  }

  /** Twelve commits, the first six one by one, up to so many commands; false if all were done. */
  workload(run: DiskRun, steps: number): boolean {
    let left = 12;
    for (let step = 0; step < steps; step++) {
      if (run.pending.length === 0 && left > 0) {
        for (let commits = left > 6 ? 1 : 2; commits > 0; commits--, left--) this.commit(run);
      }
      const idle = !run.step();
      for (const event of run.events.splice(0)) if (event.type === 'committed') this.committed++;
      if (idle && left === 0) return false;
    }
    return true;
  }

  /** Compares everything with the history, which ends with what is found. */
  verify(run: DiskRun): void {
    const found = this.#find(run, this.#epoch);
    const marked = this.history[found]!.files.flatMap(({ mark }, number) => (mark ? [number] : []));
    expect(run.core.markedFiles()).to.deep.equal(marked);
    this.history.length = found + 1;
    this.committed = found;
  }

  /** After how many commits the volume is as `run` has it; throws if it is as after none. */
  #find(run: DiskRun, epoch: { clusterEpoch: number; longestLeaseMs: number }): number {
    const bytes = this.#readAll(run);
    const files = bytes.map((contents, number) => ({
      ...run.core.meta(file(number)),
      bytes: contents,
    }));
    for (let commits = this.committed; commits < this.history.length; commits++) {
      const snapshot = this.history[commits]!;
      if (
        snapshot.clusterEpoch === epoch.clusterEpoch &&
        snapshot.longestLeaseMs === epoch.longestLeaseMs &&
        snapshot.files.every((state, number) => sameFile(state, files[number]!))
      ) {
        return commits;
      }
    }
    throw new Error(
      `the volume is as after none of ${this.committed} (acknowledged) to ${this.history.length - 1} commits`,
    );
  }

  /**
   * What a crash now would leave is recovered on `image`, with crashes on the way, and checked; this world
   * goes on. Returns how often the recovery was cut short.
   */
  checkImage(image: FakeDisk, random: Random): number {
    this.disk.crashInto(image);
    let again = 0;
    while (random() < 0.3) {
      const run = new DiskRun(image, random);
      for (let step = pick(random, 30); step > 0 && run.step(); step--);
      image.crash();
      again++;
    }
    const run = new DiskRun(image, random);
    const [event] = run.settle();
    if (event?.type !== 'opened') throw new Error(JSON.stringify(event));
    this.#find(run, event);
    const findings = findingsOn(image);
    if (findings.length > 0) throw new Error(`fsck finds ${JSON.stringify(findings)}`);
    return again;
  }

  #readAll(run: DiskRun): Uint8Array[] {
    for (let number = 0; number < SMALL.files; number++) run.core.readFile(number, file(number));
    const bytes: Uint8Array[] = [];
    for (const event of run.settle()) {
      if (event.type !== 'file') throw new Error(JSON.stringify(event));
      bytes[event.file] = event.bytes;
    }
    return bytes;
  }
}
