/**
 * I/O: the lock that keeps two servers from opening one image. It is a unix socket beside the image:
 * the kernel closes it when its holder dies, in whatever way, so a lock is stale exactly when nobody
 * answers on it. That holds across containers that share a volume, where process ids mean nothing.
 */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as path from 'node:path';

import { FsError } from '../../protocol/errors.ts';

const ATTEMPTS = 8;
/** The kernel takes about a hundred bytes for the name of a socket; directories may be deeper. */
const SOCKET_PATH_MAX = 100;

export interface ImageLock {
  release(): Promise<void>;
}

const isCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

const listen = (socketPath: string): Promise<net.Server> =>
  new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(`${process.pid}`);
    });
    server.once('error', reject);
    server.listen(socketPath, () => {
      server.unref();
      resolve(server);
    });
  });

/** What the holder says of itself (its process id), or undefined if there is none. */
const askHolder = (socketPath: string): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(socketPath);
    socket.on('data', (bytes) => (answer += bytes.toString()));
    socket.on('close', () => {
      resolve(answer === '' ? '?' : answer);
    });
    socket.on('error', (error) => {
      if (isCode(error, 'ECONNREFUSED', 'ENOENT', 'ENOTSOCK')) resolve(undefined);
      else if (isCode(error, 'ECONNRESET', 'EPIPE')) resolve('?');
      else reject(error);
    });
  });

/**
 * Moves a stale lock out of the way. Somebody else may have done so and taken the lock between our
 * look and our move: so what was moved is asked once more, and put back if it answers.
 */
const takeAway = async (socketPath: string): Promise<void> => {
  const aside = `${socketPath}.${randomBytes(4).toString('hex')}`;
  try {
    await fs.rename(socketPath, aside);
    if ((await askHolder(aside)) !== undefined) await fs.link(aside, socketPath);
    await fs.unlink(aside);
  } catch (error) {
    if (!isCode(error, 'ENOENT', 'EEXIST')) throw error;
  }
};

const lockAt = async (socketPath: string, image: string): Promise<net.Server> => {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return await listen(socketPath);
    } catch (error) {
      if (!isCode(error, 'EADDRINUSE')) throw error;
    }
    const holder = await askHolder(socketPath);
    if (holder !== undefined) {
      throw new FsError('EBUSY', `${image} is in use by process ${holder}; stop it first`);
    }
    await takeAway(socketPath);
  }
  throw new FsError('EBUSY', `${image} is being opened by several processes at once`);
};

/**
 * Locks the image at `image` (`IMAGE.lock` beside it) until release, or until the process ends.
 * Throws FsError EBUSY, naming the holder, if another process has it.
 */
export const lockImage = async (image: string): Promise<ImageLock> => {
  const directory = await fs.open(path.dirname(path.resolve(image)), 'r');
  try {
    const name = `${path.basename(image)}.lock`;
    const direct = path.join(path.dirname(path.resolve(image)), name);
    // Linux reaches a deep directory by a short name, through its descriptor.
    const isLong = Buffer.byteLength(direct) + '.12345678'.length > SOCKET_PATH_MAX;
    const socketPath = isLong ? `/proc/self/fd/${directory.fd}/${name}` : direct;
    const server = await lockAt(socketPath, image);
    const release = async (): Promise<void> => {
      // Closing a listening unix socket removes its name.
      await new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
      await directory.close();
    };
    return { release };
  } catch (error) {
    await directory.close();
    throw error;
  }
};
