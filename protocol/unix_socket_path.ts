/** I/O: makes way for a unix socket at a path. */

import { lstat, unlink } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { FsError } from './errors.ts';

/** The longest path of a unix socket on Linux (sun_path of unix(7), less its final 0). */
const PATH_LIMIT_BYTES = 107;

/** True if somebody answers at the socket. */
const isAlive = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => {
      resolve(false);
    });
  });

/**
 * A socket of somebody who is gone is removed; a live one or another kind of file stays.
 * @throws FsError EINVAL for a path that no socket can have, EBUSY with `busy` for a live socket.
 */
export const makeWay = async (path: string, busy: string): Promise<void> => {
  const bytes = Buffer.byteLength(path);
  if (bytes === 0 || bytes > PATH_LIMIT_BYTES) {
    const right = `must be 1 to ${PATH_LIMIT_BYTES}`;
    throw new FsError('EINVAL', `the socket path ${path} has ${bytes} bytes, ${right}`);
  }
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new FsError('EINVAL', `${path} is there and is no socket`);
  if (await isAlive(path)) throw new FsError('EBUSY', busy);
  await unlink(path);
};
