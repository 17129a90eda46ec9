/** I/O: the image as a Unix file: formatting it, and executing the disk core's commands on it. */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

import { FsError, messageOf } from '../../protocol/errors.ts';
import type { Geometry } from '../../protocol/ids.ts';
import type { DiskCommand } from './command_queue.ts';
import type { Fill } from './fill.ts';
import { checkFill } from './fill.ts';
import type { Piece } from './format.ts';
import { formatPieces, formatSuperblocks } from './format.ts';
import type { ImageLock } from './image_lock.ts';
import { lockImage } from './image_lock.ts';
import { readAll, requireFile, writeAll } from './image_access.ts';
import { computeLayout } from './layout.ts';

export { checkImage } from './check_image.ts';

/** The part of the disk core that a shell drives. */
export interface DiskPort {
  pollCommand(): DiskCommand | undefined;
  handleRead(token: number, bytes: Uint8Array): void;
  handleWritten(token: number): void;
  handleSynced(token: number): void;
  handleFailed(token: number, error: string): void;
}

const ANY_MAY_WRITE = 0o222;

/** An image that this process has open, and nobody else. */
export class ImageFile {
  readonly #file: fs.FileHandle;
  readonly #lock: ImageLock;
  #inFlight = 0;

  private constructor(file: fs.FileHandle, lock: ImageLock) {
    this.#file = file;
    this.#lock = lock;
  }

  /**
   * Throws FsError EBUSY if another process has it open, ENOENT if there is no such file, EINVAL if its
   * permissions are those of a file that is not to be written, which root could open all the same.
   */
  static async open(imagePath: string): Promise<ImageFile> {
    await requireFile(imagePath);
    if (((await fs.stat(imagePath)).mode & ANY_MAY_WRITE) === 0) {
      throw new FsError(
        'EINVAL',
        `${imagePath} is read-only; a server writes to its disk: chmod u+w`,
      );
    }
    const lock = await lockImage(imagePath);
    try {
      return new ImageFile(await fs.open(imagePath, 'r+'), lock);
    } catch (error) {
      await lock.release();
      throw new FsError('EIO', `cannot open ${imagePath}: ${messageOf(error)}`);
    }
  }

  /** Commands that were begun and are not yet answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Begins every command that the core has, and answers each when it is done, and so on; after each
   * answer `onProgress` is called, to look for events. To be called after every call on the core.
   */
  pump(core: DiskPort, onProgress: () => void): void {
    for (;;) {
      const command = core.pollCommand();
      if (command === undefined) return;
      this.#inFlight++;
      void this.#execute(command, core).then(() => {
        this.pump(core, onProgress);
        onProgress();
      });
    }
  }

  async #execute(command: DiskCommand, core: DiskPort): Promise<void> {
    const answer = await this.#perform(command);
    this.#inFlight--;
    answer(core);
  }

  /** The answer apart from the deed: an assertion in a handler is no failure of the disk. */
  async #perform(command: DiskCommand): Promise<(core: DiskPort) => void> {
    const { token } = command;
    try {
      switch (command.do) {
        case 'read': {
          const bytes = await readAll(this.#file, command.offset, command.length);
          return (core) => {
            core.handleRead(token, bytes);
          };
        }
        case 'write':
          await writeAll(this.#file, command.bytes, command.offset);
          return (core) => {
            core.handleWritten(token);
          };
        case 'sync':
          await this.#file.datasync();
          return (core) => {
            core.handleSynced(token);
          };
        default:
          return command satisfies never;
      }
    } catch (error) {
      return (core) => {
        core.handleFailed(token, messageOf(error));
      };
    }
  }

  /** Closes the file and gives up the lock; the core was closed before. */
  async close(): Promise<void> {
    await this.#file.close();
    await this.#lock.release();
  }
}

export interface FormatOptions {
  /** One printable character, or undefined for a text that tells file and offset. */
  readonly fill?: Fill;
  /** Replace what is there. */
  readonly force?: boolean;
  /** Size of the journal, a multiple of 4,096; default 4 MiB, more where files are large. */
  readonly journalBytes?: number;
}

const exists = async (imagePath: string): Promise<boolean> => {
  try {
    await fs.lstat(imagePath);
    return true;
  } catch {
    return false;
  }
};

const writePieces = async (file: fs.FileHandle, pieces: Iterable<Piece>): Promise<void> => {
  for (const { offset, bytes } of pieces) await writeAll(file, bytes, offset);
};

const refuseExisting = (imagePath: string): FsError =>
  new FsError('EINVAL', `${imagePath} exists; formatting it anew, and losing it, needs --force`);

/**
 * Makes a new image. It is built beside `imagePath` and moved there when it is synced: whatever
 * happens, there is the old image, or none, or a whole new one. Throws FsError EINVAL on numbers out
 * of range or if the path exists without `force`, EBUSY if a server has the image open.
 */
export const formatImage = async (
  imagePath: string,
  geometry: Geometry,
  options: FormatOptions = {},
): Promise<void> => {
  const force = options.force ?? false;
  const layout = computeLayout(geometry, options.journalBytes);
  checkFill(options.fill);
  const folder = path.dirname(path.resolve(imagePath));
  if (!(await exists(folder))) {
    throw new FsError('ENOENT', `the folder ${folder} does not exist: make it first`);
  }
  if (!force && (await exists(imagePath))) throw refuseExisting(imagePath);
  const lock = await lockImage(imagePath);
  const draft = `${imagePath}.format`;
  try {
    const file = await fs.open(draft, 'w');
    try {
      await file.truncate(layout.imageSizeBytes);
      await writePieces(file, formatPieces(layout, options.fill));
      await file.sync();
      const volume = {
        volumeId: randomBytes(16).toString('hex'),
        journalSalt: randomBytes(4).readUInt32LE(),
        fill: options.fill,
      };
      await writePieces(file, formatSuperblocks(layout, volume));
      await file.sync();
    } finally {
      await file.close();
    }
    await putInPlace(draft, imagePath, force);
  } finally {
    await fs.rm(draft, { force: true });
    await lock.release();
  }
};

const putInPlace = async (draft: string, imagePath: string, force: boolean): Promise<void> => {
  if (force) {
    await fs.rename(draft, imagePath);
  } else {
    try {
      // Unlike rename, link does not replace what somebody else made in the meantime.
      await fs.link(draft, imagePath);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
        throw refuseExisting(imagePath);
      }
      throw error;
    }
  }
  const directory = await fs.open(path.dirname(path.resolve(imagePath)), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};
