/** Bits that flip in data blocks of the simulated disk, and what may come of them: EIO, never a wrong read. */

import type { Cacher } from '../../cacher/cacher_state.ts';
import type { Layout } from '../../fileserver/disk/layout.ts';
import type { Server } from '../../fileserver/server_state.ts';
import { compareVersions, fileSizeBytes, type FileNumber } from '../../protocol/ids.ts';
import type { FakeDisk } from '../fileserver/disk/fake_disk.ts';
import { fail, type World } from './world.ts';

/** Where a bit is wrong. */
interface Spot {
  readonly offset: number;
  readonly bit: number;
}

/** A spot that was written anew, and what was around it while it was wrong. */
interface Rewritten {
  readonly file: FileNumber;
  readonly spot: Spot;
  readonly damaged: Uint8Array;
}

/** Bytes after a spot that tell damaged contents from those written over them. */
const AROUND_BYTES = 16;

export class Damage {
  readonly #world: World;
  readonly #disk: FakeDisk;
  readonly #layout: Layout;
  readonly #cachers: () => readonly Cacher[];
  readonly #spots = new Map<FileNumber, Spot>();
  /** When the last damage of a file was over. */
  readonly #damaged = new Map<FileNumber, Uint8Array>();
  #rewritten: Rewritten[] = [];
  readonly #overAtMs = new Map<FileNumber, number>();
  /** Requests that failed for it. */
  refused = 0;

  constructor(world: World, disk: FakeDisk, layout: Layout, cachers: () => readonly Cacher[]) {
    this.#world = world;
    this.#disk = disk;
    this.#layout = layout;
    this.#cachers = cachers;
  }

  /** No file is damaged. */
  get none(): boolean {
    return this.#spots.size === 0;
  }

  /**
   * Flips a bit of a file, of the first ones more often, as applications use them. What nobody has written anew
   * after `forMs` is good again then: a run must not end with a file that nobody has.
   */
  flip(forMs: number): void {
    const { random, queue, trace } = this.#world;
    const { geometry, regions } = this.#layout;
    const file = Math.floor(random() ** 2 * geometry.files) as FileNumber;
    const size = fileSizeBytes(geometry);
    const offset = regions.data.offset + file * size + Math.floor(random() * size);
    const spot = { offset, bit: Math.floor(random() * 8) };
    if (this.#spots.has(file)) return;
    trace(`a bit of file ${file} flips on the disk`);
    this.#spots.set(file, spot);
    this.#toggle(spot);
    this.#damaged.set(file, this.#around(spot));
    queue.after(forMs, () => {
      if (this.#spots.get(file) !== spot) return;
      this.#toggle(spot);
      this.#end(file);
    });
  }

  #around({ offset }: Spot): Uint8Array {
    return this.#disk.read(offset, AROUND_BYTES).slice();
  }

  #toggle({ offset, bit }: Spot): void {
    this.#disk.toggle(offset, bit);
  }

  #end(file: FileNumber): void {
    this.#spots.delete(file);
    this.#overAtMs.set(file, this.#world.queue.now);
  }

  /** The server has written these bytes of the disk. */
  written(offset: number, length: number): void {
    for (const [file, spot] of this.#spots) {
      if (spot.offset < offset || spot.offset >= offset + length) continue;
      const damaged = this.#damaged.get(file);
      if (damaged !== undefined) this.#rewritten.push({ file, spot, damaged });
      this.#end(file);
    }
  }

  /** The server has crashed: what it wrote over damage may be lost, with nobody left to write it again. */
  crashed(): void {
    for (const { file, spot, damaged } of this.#rewritten) {
      const now = this.#around(spot);
      if (!now.every((byte, index) => byte === damaged[index])) continue;
      this.#toggle(spot);
      this.#overAtMs.set(file, this.#world.queue.now);
    }
    this.#rewritten = [];
  }

  /** A request that was made at `sinceMs` may fail for it. */
  mayFail(file: FileNumber, sinceMs: number): boolean {
    return this.#spots.has(file) || (this.#overAtMs.get(file) ?? -Infinity) >= sinceMs;
  }

  /** The disk has found a file's blocks damaged. */
  checkFound(file: FileNumber, reason: string): void {
    // A read that began before the damage was over ends after it.
    if (!this.#overAtMs.has(file) && !this.#spots.has(file)) fail(`disk: ${reason}`);
  }

  /** The server gives up on a file: no member has a clean copy of what the disk should have. */
  checkRefused(server: Server, reason: string): void {
    this.refused++;
    const named = /^file (\d+): /.exec(reason)?.[1] ?? fail(`EIO without a file: ${reason}`);
    const file = Number(named) as FileNumber;
    const { version } = server.meta(file);
    for (const { files, options } of this.#cachers()) {
      const member = server.members.get(options.node);
      const cached = files.get(file);
      if (member?.incarnation !== options.incarnation || cached?.copy !== 'shared') continue;
      if (compareVersions(cached.version, version) !== 0) continue;
      fail(`file ${file} is refused, though ${options.node} has a clean copy: ${reason}`);
    }
  }
}
