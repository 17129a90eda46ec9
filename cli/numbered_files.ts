/** Does I/O: the calls of a request set, by file number, on a connection of the application library. */

import type { CoopFile, CoopFs } from '../applib/index.ts';
import { FsError } from '../protocol/errors.ts';
import type { Files } from './set_runner.ts';

/** Every call rejects with FsError as the library's do; EBADF for a number that is not open. */
export const filesOf = (fs: CoopFs): Files => {
  const open = new Map<number, CoopFile>();
  const opened = (number: number): CoopFile => {
    const file = open.get(number);
    if (file !== undefined) return file;
    throw new FsError('EBADF', `file ${number} is not open: open it first`);
  };
  return {
    open: async (number, mode) => {
      // The library refuses a second open; what the first one opened stays as it is.
      open.set(number, await fs.open(number, mode));
    },
    read: async (number, length) => opened(number).readDetailed(length),
    write: async (number, bytes) => opened(number).writeDetailed(bytes),
    close: async (number) => {
      const file = opened(number);
      open.delete(number);
      await file.close();
    },
  };
};
