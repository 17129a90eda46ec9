/** The file server's own memory: recently used files, whole, least recently used given up first. */

import type { FileNumber } from '../protocol/ids.ts';

export class FileMemory {
  /** In order of use, the oldest first. */
  readonly #files = new Map<FileNumber, Uint8Array>();
  readonly #limit: number;

  /** `pages` of one block each; a file takes `blocksPerFile` of them. */
  constructor(pages: number, blocksPerFile: number) {
    this.#limit = Math.floor(pages / blocksPerFile);
  }

  get size(): number {
    return this.#files.size;
  }

  /** The file's bytes, not to be changed; undefined if they are not here. */
  get(file: FileNumber): Uint8Array | undefined {
    const bytes = this.#files.get(file);
    if (bytes === undefined) return undefined;
    this.#files.delete(file);
    this.#files.set(file, bytes);
    return bytes;
  }

  /** Other contents are about to take their place. */
  forget(file: FileNumber): void {
    this.#files.delete(file);
  }

  /** Takes the bytes over. */
  put(file: FileNumber, bytes: Uint8Array): void {
    this.#files.delete(file);
    this.#files.set(file, bytes);
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= this.#limit) return;
      this.#files.delete(oldest);
    }
  }
}
