/**
 * I/O: the application library in the form of the course: InitLib, myopen, myread, mywrite, myclose,
 * on one connection of the module. All reject with FsError.
 */

import { FsError } from '../protocol/errors.ts';
import { checkBuffer, checkContents } from './arguments.ts';
import { connect, type CoopFs, type ConnectOptions } from './client.ts';
import type { CoopFile } from './file.ts';

let library: Promise<CoopFs> | undefined;
const files = new Map<number, CoopFile>();

const opened = (filenum: number): CoopFile => {
  const file = files.get(filenum);
  if (file === undefined) {
    throw new FsError('EBADF', `file ${filenum} is not open: myopen it first`);
  }
  return file;
};

/**
 * Connects the library, to the cacher at COOPFS_SOCKET unless the options say otherwise. Called
 * again, it closes the connection that was there, with its files. Resolves with 0.
 */
export const InitLib = async (options: ConnectOptions = {}): Promise<0> => {
  const before = library;
  const now = connect(options);
  library = now;
  files.clear();
  await before?.then(
    (fs) => fs.close(),
    () => undefined,
  );
  try {
    await now;
  } catch (error) {
    if (library === now) library = undefined;
    throw error;
  }
  return 0;
};

/** Opens a file: mode 0 reads, mode 1 reads and writes. Resolves with 0. See `CoopFs.open`. */
export const myopen = async (filenum: number, mode: number): Promise<0> => {
  if (library === undefined) {
    throw new FsError('EINVAL', 'the library is not connected: InitLib first');
  }
  const fs = await library;
  files.set(filenum, await fs.open(filenum, mode));
  return 0;
};

/**
 * Reads up to `numbytes` bytes into the start of `buf`. Resolves with how many were read, 0 at the
 * end of the file. EINVAL if they do not fit in `buf`. See `CoopFile.read`.
 */
export const myread = async (
  filenum: number,
  buf: Uint8Array,
  numbytes: number,
): Promise<number> => {
  const room = checkBuffer(buf, numbytes);
  const bytes = await opened(filenum).read(room.length);
  room.set(bytes);
  return bytes.length;
};

/**
 * Writes the first `numbytes` bytes of `buf` (a string counts in UTF-8). Resolves with how many were
 * written, fewer at the end of the file. EINVAL if `buf` has not as many. See `CoopFile.write`.
 */
export const mywrite = async (
  filenum: number,
  buf: Uint8Array | string,
  numbytes: number,
): Promise<number> => opened(filenum).write(checkBuffer(checkContents(buf), numbytes));

/** Closes a file. Resolves with 0. */
export const myclose = async (filenum: number): Promise<0> => {
  const file = opened(filenum);
  files.delete(filenum);
  await file.close();
  return 0;
};
