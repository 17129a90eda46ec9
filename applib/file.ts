/** I/O: an open file, as a program that uses the library sees it. */

import { FsError } from '../protocol/errors.ts';
import type { FileNumber, Source, Version } from '../protocol/ids.ts';
import { checkContents } from './arguments.ts';
import type { Connection } from './connection.ts';

/** The bytes of a read, and where they came from. */
export interface ReadResult {
  readonly bytes: Uint8Array;
  /** 'local' for the empty answer at the end of a file, which the library gives by itself. */
  readonly source: Source;
  /** The version that was read; undefined if no bytes were. */
  readonly version: Version | undefined;
}

/** How much a write wrote, and how well it is kept. */
export interface WriteResult {
  readonly count: number;
  /** The version the write made; undefined if nothing was to be written. */
  readonly version: Version | undefined;
  /** How many memories held the write when it was acknowledged; 0 if it went to the disk instead. */
  readonly copies: number;
  /** It went to the disk because the cluster has no second memory. */
  readonly degraded: boolean;
}

/**
 * One open of one file. It has an offset of its own, which starts at 0 and is shared by reads and
 * writes. The offset advances when a call is made, by the bytes that the call will move, so that
 * many calls may be in flight: they move adjoining ranges, in the order of the calls. A call that
 * fails puts the offset back where it was, unless a later call has moved it by then.
 *
 * All calls reject with FsError: EBADF if the file is closed, EINVAL for impossible arguments,
 * ESTALE if writes to the file were lost with their nodes since it was opened (open it again), EROFS for
 * writes that a cluster of one node refuses, ECONNLOST if the daemon is gone (a write that waited then has an unknown outcome), EBUSY if too
 * many requests wait.
 */
export class CoopFile {
  readonly number: FileNumber;
  readonly sizeBytes: number;
  readonly #connection: Connection;
  readonly #handle: number;
  #closed = false;

  constructor(connection: Connection, number: FileNumber, handle: number, sizeBytes: number) {
    this.#connection = connection;
    this.number = number;
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
  }

  /** Up to `length` bytes from the offset on; fewer before the end of the file, none at it. */
  async read(length: number): Promise<Uint8Array> {
    return (await this.readDetailed(length)).bytes;
  }

  /** As `read`, with where the bytes came from and their version. */
  async readDetailed(length: number): Promise<ReadResult> {
    const answer = await this.#connection.move<'read'>((session) =>
      session.read(this.number, this.#handle, length),
    );
    if (answer === undefined) {
      return { bytes: new Uint8Array(0), source: 'local', version: undefined };
    }
    // What the link delivered is a view of a larger buffer.
    return { bytes: answer.bytes.slice(), source: answer.source, version: answer.version };
  }

  /**
   * Writes at the offset, cut at the end of the file; resolves with how many bytes were written,
   * once two memories (or the disk) hold them. A string goes out as UTF-8. Rejects with EBADF if
   * the file is open for reading only, with EFBIG if the offset is at the end of the file.
   */
  async write(contents: Uint8Array | string): Promise<number> {
    return (await this.writeDetailed(contents)).count;
  }

  /** As `write`, with the version the write made and how many memories hold it. */
  async writeDetailed(contents: Uint8Array | string): Promise<WriteResult> {
    const bytes = checkContents(contents);
    const answer = await this.#connection.move<'write'>((session) =>
      session.write(this.number, this.#handle, bytes),
    );
    if (answer === undefined) return { count: 0, version: undefined, copies: 0, degraded: false };
    const { count, version, copies, degraded } = answer;
    return { count, version, copies, degraded };
  }

  /**
   * Resolves when every write to the file that was acknowledged before the call is on the server's disk,
   * whoever made it. Rejects with EBADF, ESTALE (what was to be saved is lost), ETIMEDOUT, ECONNLOST.
   */
  async flush(): Promise<void> {
    await this.#connection.ask<'flush'>((session) => session.flush(this.number, this.#handle));
  }

  /** Closes the file; every later call rejects with EBADF, a second close too. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#connection.ask<'close'>((session) => session.close(this.number, this.#handle));
  }

  /** Closes the file unless it is closed already or went with its connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed || this.#connection.lost) return;
    try {
      await this.close();
    } catch (error) {
      if (!(error instanceof FsError && error.code === 'ECONNLOST')) throw error;
    }
  }
}
