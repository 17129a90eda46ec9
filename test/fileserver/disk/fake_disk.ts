/**
 * A disk for tests and for the cluster simulator, without I/O or clock. What is written is seen by
 * reads at once, but kept over a crash only if it was synced; of the rest, a crash keeps any part of
 * any write to any sector, in any order, as real disks do.
 *
 * A command takes effect when `execute` is called: whoever wants latency holds the command back
 * until it is to complete, then executes it and delivers the completion. A command that is held back
 * when the crash comes has not reached the disk. A sync covers what was written when it was executed,
 * or, as on a real disk, only what was when it was handed to `begin`.
 */

import type { DiskCommand, DiskCore } from '../../../fileserver/disk/disk_core.ts';
import type { FormatOptions } from '../../../fileserver/disk/image_file.ts';
import { formatPieces, formatSuperblocks } from '../../../fileserver/disk/format.ts';
import { computeLayout } from '../../../fileserver/disk/layout.ts';
import type { Geometry } from '../../../protocol/ids.ts';

/** What a disk writes at a time, whole or torn. */
const SECTOR_BYTES = 512;

export type Random = () => number;

/** Numbers from 0 up to 1 from a seed (mulberry32). */
export const randomOf = (seed: number): Random => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

export const pick = (random: Random, below: number): number => Math.floor(random() * below);

export type DiskCompletion =
  | { token: number; result: 'read'; bytes: Uint8Array }
  | { token: number; result: 'written' }
  | { token: number; result: 'synced' }
  | { token: number; result: 'failed'; error: string };

export class FakeDisk {
  /** What a crash leaves for certain. */
  #synced: Uint8Array;
  /** What reads see. */
  #cache: Uint8Array;
  /** The contents that each sector has had since its last sync, oldest first. */
  readonly #unsynced = new Map<number, { serial: number; contents: Uint8Array }[]>();
  #writes = 0;
  /** How many writes there had been when a sync began, by its token. */
  readonly #begun = new Map<number, number>();
  readonly #random: Random;
  /** Decides which commands fail, and why. */
  failure: (command: DiskCommand) => string | undefined = () => undefined;
  syncs = 0;
  /** A sync is answered and does nothing, as cheap disks do. */
  lies = false;

  constructor(image: Uint8Array, seed: number) {
    this.#synced = image.slice();
    this.#cache = image.slice();
    this.#random = randomOf(seed);
  }

  /** A freshly formatted disk. */
  static formatted(
    geometry: Geometry,
    seed: number,
    options: Omit<FormatOptions, 'force'> = {},
  ): FakeDisk {
    const layout = computeLayout(geometry, options.journalBytes);
    const image = new Uint8Array(layout.imageSizeBytes);
    const random = randomOf(seed);
    const volume = {
      volumeId: Array.from({ length: 32 }, () => pick(random, 16).toString(16)).join(''),
      journalSalt: pick(random, 2 ** 32),
      fill: options.fill,
    };
    const pieces = [...formatPieces(layout, options.fill), ...formatSuperblocks(layout, volume)];
    for (const { offset, bytes } of pieces) image.set(bytes, offset);
    return new FakeDisk(image, seed);
  }

  /** The command is on its way: a sync need not cover what is written from now on. */
  begin(command: DiskCommand): void {
    if (command.do === 'sync') this.#begun.set(command.token, this.#writes);
  }

  execute(command: DiskCommand): DiskCompletion {
    const { token } = command;
    const error = this.failure(command);
    if (error !== undefined) return { token, result: 'failed', error };
    switch (command.do) {
      case 'read': {
        const { offset, length } = command;
        return { token, result: 'read', bytes: this.#cache.slice(offset, offset + length) };
      }
      case 'write':
        this.#write(command.offset, command.bytes);
        return { token, result: 'written' };
      case 'sync':
        if (!this.lies) this.#sync(this.#begun.get(token) ?? this.#writes);
        this.#begun.delete(token);
        return { token, result: 'synced' };
      default:
        return command satisfies never;
    }
  }

  #write(offset: number, bytes: Uint8Array): void {
    this.#cache.set(bytes, offset);
    const serial = ++this.#writes;
    const last = Math.floor((offset + bytes.length - 1) / SECTOR_BYTES);
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector <= last; sector++) {
      const contents = this.#cache.slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
      const before = this.#unsynced.get(sector);
      if (before === undefined) this.#unsynced.set(sector, [{ serial, contents }]);
      else before.push({ serial, contents });
    }
  }

  #sync(upTo: number): void {
    this.syncs++;
    for (const [sector, versions] of this.#unsynced) {
      const covered = versions.findLast(({ serial }) => serial <= upTo);
      if (covered === undefined) continue;
      this.#synced.set(covered.contents, sector * SECTOR_BYTES);
      const later = versions.filter(({ serial }) => serial > upTo);
      if (later.length > 0) this.#unsynced.set(sector, later);
      else this.#unsynced.delete(sector);
    }
  }

  /**
   * The power fails and comes back; commands that were not executed are never to be. `keeps` decides
   * for the sector at an offset whether all that was written to it is kept, or nothing; without it,
   * chance decides, and tears sectors too.
   */
  crash(keeps?: (offset: number) => boolean): void {
    this.crashInto(this, keeps);
  }

  /** Makes `image`, a disk of the same size, what a crash now would leave; this one goes on. */
  crashInto(image: FakeDisk, keeps?: (offset: number) => boolean): void {
    const left = image.#synced;
    if (image !== this) left.set(this.#synced);
    for (const [sector, versions] of this.#unsynced) {
      const offset = sector * SECTOR_BYTES;
      if (keeps === undefined) this.#tear(left, offset, versions);
      else if (keeps(offset)) left.set(versions.at(-1)!.contents, offset);
    }
    image.#unsynced.clear();
    image.#begun.clear();
    image.#cache.set(left);
  }

  /** Leaves any of the contents that the sector at `offset` had, or a part of one and of another. */
  #tear(left: Uint8Array, offset: number, versions: readonly { contents: Uint8Array }[]): void {
    const old = left.slice(offset, offset + SECTOR_BYTES);
    const choose = (): Uint8Array => {
      const choice = pick(this.#random, versions.length + 1);
      return versions[choice]?.contents ?? old;
    };
    left.set(choose(), offset);
    if (this.#random() >= 0.3) return;
    const cut = pick(this.#random, SECTOR_BYTES + 1);
    left.set(choose().subarray(cut), offset + cut);
  }

  /** A crash of the process alone: the kernel still has everything that was written. */
  kill(): void {
    this.#sync(this.#writes);
    this.#begun.clear();
  }

  /** The image as reads see it; changing it is a fault that no sync repairs. */
  edit(change: (image: Uint8Array) => void): void {
    change(this.#cache);
    change(this.#synced);
  }

  /** A bit flips, in what is synced and in what is to be: a sector is written whole, with its other blocks. */
  toggle(offset: number, bit: number): void {
    const flip = (bytes: Uint8Array, at: number): void => {
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
    };
    this.edit((image) => {
      flip(image, offset);
    });
    const sector = Math.floor(offset / SECTOR_BYTES);
    for (const { contents } of this.#unsynced.get(sector) ?? []) {
      flip(contents, offset - sector * SECTOR_BYTES);
    }
  }

  /** The image as reads see it, not to be changed. */
  read(offset: number, length: number): Uint8Array {
    return this.#cache.subarray(offset, offset + length);
  }

  get sizeBytes(): number {
    return this.#cache.length;
  }

  /** A disk of its own, in the same state; what is not synced here is not there. */
  twin(seed: number): FakeDisk {
    return new FakeDisk(this.#synced, seed);
  }

  /** The image as reads see it. */
  get image(): Uint8Array {
    return this.#cache.slice();
  }

  /** Cuts the image off. */
  truncate(sizeBytes: number): void {
    this.#cache = this.#cache.slice(0, sizeBytes);
    this.#synced = this.#synced.slice(0, sizeBytes);
  }
}

/** Hands a completion to the core that asked for it. */
export const deliver = (core: DiskCore, completion: DiskCompletion): void => {
  switch (completion.result) {
    case 'read':
      core.handleRead(completion.token, completion.bytes);
      return;
    case 'written':
      core.handleWritten(completion.token);
      return;
    case 'synced':
      core.handleSynced(completion.token);
      return;
    case 'failed':
      core.handleFailed(completion.token, completion.error);
      return;
    default:
      completion satisfies never;
  }
};
