/** Does I/O: a cacher of the tests: one memory for all its applications, which it can be told to deny. */

import { createServer, type Server, type Socket } from 'node:net';
import { encode, decode } from '../../protocol/codec.ts';
import { FrameDecoder, encodeFrame } from '../../protocol/framing.ts';
import type { ClientId, NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';

const GEOMETRY = { files: 16, blockSizeBytes: 16, blocksPerFile: 1 };
const VERSION = { term: 1, counter: 1 };

export class FakeCacher {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #files = new Map<number, Uint8Array>();
  readonly #denies: boolean;

  /** `denies`: takes writes, and goes on to answer reads with what was there before. */
  constructor(denies = false) {
    this.#denies = denies;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
      const decoder = new FrameDecoder();
      socket.on('data', (chunk) => {
        for (const body of decoder.push(chunk)) {
          socket.write(encodeFrame(encode(this.#answer(decode(body)))));
        }
      });
    });
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(path, resolve));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #answer(message: Message): Message {
    if (message.type === 'hello') {
      const [node, client] = ['n1' as NodeId, 1 as ClientId];
      return { type: 'welcome', node, client, geometry: GEOMETRY };
    }
    if (message.type === 'open') {
      return { type: 'opened', request: message.request, sizeBytes: 16 };
    }
    if (message.type === 'close') return { type: 'closed', request: message.request };
    if (message.type === 'read') {
      const { request, offset, length } = message;
      const bytes = this.#contents(message.file).slice(offset, offset + length);
      return { type: 'readDone', request, bytes, source: 'peer', version: VERSION };
    }
    if (message.type === 'write') {
      const { request, bytes, offset } = message;
      if (!this.#denies) this.#contents(message.file).set(bytes, offset);
      return {
        type: 'writeDone',
        request,
        count: bytes.length,
        version: VERSION,
        copies: 2,
        degraded: false,
      };
    }
    return { type: 'failed', request: 0, code: 'EPROTO', message: message.type };
  }

  #contents(file: number): Uint8Array {
    const contents = this.#files.get(file) ?? new Uint8Array(16).fill(0x2e);
    this.#files.set(file, contents);
    return contents;
  }
}
