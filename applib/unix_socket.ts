/** I/O: the link to a node's own cacher, frames on its unix socket. */

import { createConnection, type Socket } from 'node:net';
import { decode, encode } from '../protocol/codec.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { encodeFrame, FrameDecoder } from '../protocol/framing.ts';
import type { Dial, Link, LinkEvents } from './link.ts';

/** The longest path of a unix socket on Linux, in bytes (sun_path of unix(7), less its final 0). */
export const SOCKET_PATH_LIMIT_BYTES = 107;

/** How long a closed link may take to send what it still holds. */
const CLOSE_TIMEOUT_MS = 1000;

/** Throws FsError EINVAL if `path` cannot name a unix socket. */
export const checkSocketPath = (path: string): void => {
  const lengthBytes = Buffer.byteLength(path);
  if (lengthBytes > 0 && lengthBytes <= SOCKET_PATH_LIMIT_BYTES) return;
  const right = `must be 1 to ${SOCKET_PATH_LIMIT_BYTES}`;
  throw new FsError('EINVAL', `the socket path ${path} has ${lengthBytes} bytes, ${right}`);
};

const asLost = (path: string, cause: string): FsError =>
  new FsError('ECONNLOST', `the connection to the cacher at ${path} is lost: ${cause}`);

/** Hands the frames that come in on, until the socket closes or breaks the protocol. */
const listen = (socket: Socket, path: string, events: LinkEvents): void => {
  const decoder = new FrameDecoder();
  let cause = 'it closed the connection';
  let error: FsError | undefined;
  socket.on('data', (chunk) => {
    if (error !== undefined) return;
    try {
      for (const body of decoder.push(chunk)) events.onMessage(decode(body));
    } catch (thrown) {
      error = thrown instanceof FsError ? thrown : new FsError('EPROTO', messageOf(thrown));
      socket.destroy();
    }
  });
  socket.on('error', (thrown) => {
    cause = thrown.message;
  });
  socket.on('close', () => {
    events.onLost(error ?? asLost(path, cause));
  });
};

const linkOver = (socket: Socket): Link => ({
  send: (message) => {
    socket.write(encodeFrame(encode(message)));
  },
  hold: (alive) => {
    if (alive) socket.ref();
    else socket.unref();
  },
  close: () =>
    new Promise((resolve) => {
      if (socket.closed) {
        resolve();
        return;
      }
      // A daemon that reads nothing must not hold up the end of the program.
      const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end(() => socket.destroy());
    }),
});

/** Dials the cacher that listens at `path`. Throws FsError EINVAL for an impossible path. */
export const unixSocket = (path: string): Dial => {
  checkSocketPath(path);
  return (events) =>
    new Promise((resolve, reject) => {
      const socket = createConnection(path);
      const refuse = (error: Error): void => {
        reject(new FsError('ECONNLOST', `no cacher answers at ${path}: ${error.message}`));
      };
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.off('error', refuse);
        listen(socket, path, events);
        resolve(linkOver(socket));
      });
    });
};
