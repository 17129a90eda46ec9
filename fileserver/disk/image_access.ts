/** I/O: whole reads and writes of a Unix file, and the look whether there is one. */

import * as fs from 'node:fs/promises';

import { FsError, messageOf } from '../../protocol/errors.ts';

/** Writes all of `bytes`; the kernel may take fewer at a time. */
export const writeAll = async (
  file: fs.FileHandle,
  bytes: Uint8Array,
  offset: number,
): Promise<void> => {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    if (bytesWritten === 0) throw new FsError('EIO', 'the disk takes no more bytes');
    done += bytesWritten;
  }
};

/** Reads `length` bytes, or fewer if the file ends before them. */
export const readAll = async (
  file: fs.FileHandle,
  offset: number,
  length: number,
): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
};

/** Throws FsError ENOENT if there is no file at this path, EINVAL if it is something else. */
export const requireFile = async (imagePath: string): Promise<void> => {
  let isFile: boolean;
  try {
    isFile = (await fs.stat(imagePath)).isFile();
  } catch (error) {
    throw new FsError('ENOENT', `there is no image: ${messageOf(error)}`);
  }
  if (!isFile) throw new FsError('EINVAL', `${imagePath} is not a file; an image is one`);
};
