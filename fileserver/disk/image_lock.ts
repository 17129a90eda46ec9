/** I/O: the lock that keeps two servers from opening one image. */

/*
 * Whoever wants it listens on a unix socket of its own beside the image, and only then looks for the
 * sockets of others: of two, at least one sees the other. The kernel closes a socket when its process
 * dies, in whatever way, so one that nobody answers on is stale. That holds across containers that
 * share a volume, where process ids mean nothing.
 */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as path from 'node:path';

import { FsError } from '../../protocol/errors.ts';

/** How often those who begin at the same moment look whether the others have given way. */
const LOOKS_MAX = 1_000;
/** The kernel takes about a hundred bytes for the name of a socket; directories may be deeper. */
const SOCKET_PATH_MAX = 100;
const LOCK_SUFFIX = /^\.lock\.[0-9a-f]{8}$/;

export interface ImageLock {
  release(): Promise<void>;
}

/** What the process behind a socket says. */
interface Answer {
  /** 'holds' or 'wants'; anything else is said by one that was just giving way: look again. */
  readonly state: string | undefined;
  readonly pid: string;
}

const isCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

const listen = (socketPath: string, answer: () => string): Promise<net.Server> =>
  new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      // Not held open by a caller that does not hang up.
      socket.end(answer(), () => socket.destroy());
    });
    server.once('error', reject);
    server.listen(socketPath, () => {
      server.removeListener('error', reject);
      // A caller that could not be accepted is no reason to stop.
      server.on('error', () => undefined);
      server.unref();
      resolve(server);
    });
  });

/** Undefined if nobody listens any more. */
const ask = (socketPath: string): Promise<Answer | undefined> =>
  new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(socketPath);
    socket.on('data', (bytes) => (text += bytes.toString()));
    socket.on('close', () => {
      const [state, pid] = text.split(' ');
      resolve({ state, pid: pid ?? 'unknown' });
    });
    socket.on('error', (error) => {
      if (isCode(error, 'ECONNREFUSED', 'ENOENT')) resolve(undefined);
      else if (!isCode(error, 'ECONNRESET', 'EPIPE')) reject(error);
    });
  });

/** The sockets of others beside the image, by name; stale ones are removed: no name is used twice. */
const othersOf = async (
  folder: string,
  image: string,
  own: string,
): Promise<Map<string, Answer>> => {
  const others = new Map<string, Answer>();
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const { name } = entry;
    const isLock = name.startsWith(image) && LOCK_SUFFIX.test(name.slice(image.length));
    if (!isLock || !entry.isSocket() || name === own) continue;
    const answer = await ask(path.join(folder, name));
    if (answer === undefined) await fs.rm(path.join(folder, name), { force: true });
    else others.set(name, answer);
  }
  return others;
};

/** Returns when nobody else wants the lock; of several who do, all but the first by name give way. */
const waitAlone = async (folder: string, image: string, own: string): Promise<void> => {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const others = await othersOf(folder, image, own);
    if (others.size === 0) return;
    for (const [name, { state, pid }] of others) {
      if (state !== 'holds' && (state !== 'wants' || name > own)) continue;
      throw new FsError('EBUSY', `${image} is in use by process ${pid}; stop it first`);
    }
  }
  throw new FsError('EBUSY', `${image} is being opened by another process`);
};

/**
 * Locks an image (`IMAGE.lock.…` beside it) until release, or until the process ends.
 * Throws FsError EBUSY, naming the holder, if another process has it.
 */
export const lockImage = async (imagePath: string): Promise<ImageLock> => {
  const image = path.basename(imagePath);
  const realFolder = path.dirname(path.resolve(imagePath));
  const directory = await fs.open(realFolder, 'r');
  const unique = randomBytes(4).toString('hex');
  const own = `${image}.lock.${unique}`;
  // Linux reaches a deep directory by a short name, through its descriptor.
  const isLong = Buffer.byteLength(path.join(realFolder, own)) > SOCKET_PATH_MAX;
  const folder = isLong ? `/proc/self/fd/${directory.fd}` : realFolder;
  let holds = false;
  let server: net.Server | undefined;
  const release = async (): Promise<void> => {
    await fs.rm(path.join(folder, own), { force: true });
    await new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else {
        server.close(() => {
          resolve();
        });
      }
    });
    await directory.close();
  };
  try {
    // A socket is bound before it listens: it gets its name, by which others judge it, after both.
    const unnamed = path.join(folder, `${image}.lock-${unique}`);
    server = await listen(unnamed, () => `${holds ? 'holds' : 'wants'} ${process.pid}`);
    await fs.rename(unnamed, path.join(folder, own));
    await waitAlone(folder, image, own);
    holds = true;
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
};
