/** I/O: the unix socket on which this node's applications reach the cacher. */

import { createServer, type Server, type Socket } from 'node:net';
import { decode, encode } from '../protocol/codec.ts';
import { FsError } from '../protocol/errors.ts';
import { encodeFrame, FrameDecoder } from '../protocol/framing.ts';
import type { Message } from '../protocol/messages.ts';
import { makeWay } from '../protocol/unix_socket_path.ts';

export interface ApplicationListener {
  readonly message: (link: string, message: Message) => void;
  readonly closed: (link: string) => void;
}

export class ApplicationSocket {
  readonly #listener: ApplicationListener;
  readonly #server: Server;
  readonly #links = new Map<string, Socket>();
  #admits = false;
  #count = 0;

  private constructor(listener: ApplicationListener) {
    this.#listener = listener;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      this.#accept(socket);
    });
  }

  /** Begins to listen to applications; those that came before have waited. */
  admit(): void {
    this.#admits = true;
    for (const socket of this.#links.values()) socket.resume();
  }

  /**
   * Takes the path; applications that connect wait until `admit`.
   * Throws FsError EINVAL, EBUSY for a path that cannot be used.
   */
  static async listen(path: string, listener: ApplicationListener): Promise<ApplicationSocket> {
    await makeWay(path, `a live cacher listens at ${path}: choose another --socket`);
    const self = new ApplicationSocket(listener);
    await new Promise<void>((resolve, reject) => {
      self.#server.once('error', (error) => {
        reject(new FsError('EINVAL', `cannot listen at the socket ${path}: ${error.message}`));
      });
      self.#server.listen(path, resolve);
    });
    return self;
  }

  #accept(socket: Socket): void {
    const link = `app${++this.#count}`;
    const decoder = new FrameDecoder();
    this.#links.set(link, socket);
    socket.on('data', (chunk) => {
      try {
        for (const body of decoder.push(chunk)) this.#listener.message(link, decode(body));
      } catch (error) {
        if (!(error instanceof FsError)) throw error;
        // Nothing that follows can be told apart.
        const { code, message } = error;
        this.send(link, { type: 'failed', request: 0, code, message });
        socket.destroySoon();
      }
    });
    socket.on('drain', () => socket.resume());
    // A reset is the end of the connection; 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#links.delete(link);
      this.#listener.closed(link);
    });
    if (this.#admits) socket.resume();
  }

  send(link: string, message: Message): void {
    const socket = this.#links.get(link);
    if (socket?.writable !== true) return;
    // Who does not take its answers is not listened to: what waits for it stays bounded.
    if (!socket.write(encodeFrame(encode(message)))) socket.pause();
  }

  /** Takes no more applications and ends the connections, sent answers first. */
  close(): Promise<void> {
    for (const socket of this.#links.values()) {
      if (this.#admits) socket.destroySoon();
      else socket.destroy();
    }
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }
}
