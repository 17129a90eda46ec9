/** A daemon that answers as a test tells it, on a unix socket in a folder of its own. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RequestType } from '../../applib/pending.ts';
import { decode, encode } from '../../protocol/codec.ts';
import type { ClientId, NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { encodeFrame, FrameDecoder } from '../../protocol/framing.ts';

export const GEOMETRY = { files: 16, blockSizeBytes: 8, blocksPerFile: 2 };
export const SIZE_BYTES = 16;

export type Script = (message: Message, daemon: FakeDaemon) => Message[];

/** Keeps contents, and answers as a cacher would that is alone. */
export const honest = (): Script => {
  const files = new Map<number, Uint8Array>();
  const contents = (file: number): Uint8Array => {
    const known = files.get(file) ?? new Uint8Array(SIZE_BYTES).fill(0x2e);
    files.set(file, known);
    return known;
  };
  const version = { term: 1, counter: 2 };
  return (asked) => {
    const message = asked as Message<RequestType>;
    switch (message.type) {
      case 'hello':
        return [
          { type: 'welcome', node: 'n1' as NodeId, client: 1 as ClientId, geometry: GEOMETRY },
        ];
      case 'open':
        return [{ type: 'opened', request: message.request, sizeBytes: SIZE_BYTES }];
      case 'read': {
        const { request, file, offset, length } = message;
        const bytes = contents(file).slice(offset, offset + length);
        return [{ type: 'readDone', request, bytes, source: 'peer', version }];
      }
      case 'write': {
        const { request, file, offset, bytes } = message;
        contents(file).set(bytes, offset);
        return [
          { type: 'writeDone', request, count: bytes.length, version, copies: 2, degraded: false },
        ];
      }
      case 'close':
        return [{ type: 'closed', request: message.request }];
      case 'status':
        return [{ type: 'statusDone', request: message.request, json: '{"reads":3}' }];
      case 'flush':
        return [{ type: 'flushed', request: message.request }];
      case 'forget':
        return [{ type: 'forgotten', request: message.request, files: 2 }];
      case 'where': {
        const { request, file } = message;
        const owner = 'n1' as NodeId;
        const numbers = { term: 1, epoch: 1 };
        return [
          {
            ...{ type: 'whereDone', request, file, state: 'shared', version, owner, ...numbers },
            ...{ backup: undefined, sharers: [owner], eviction: '' },
          },
        ];
      }
    }
  };
};

export class FakeDaemon {
  readonly received: Message[] = [];
  connections = 0;
  readonly path: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #script: Script;

  private constructor(script: Script) {
    this.#script = script;
    this.#folder = mkdtempSync(join(tmpdir(), 'coopfs-applib-'));
    this.path = join(this.#folder, 'n1.sock');
    this.#server = createServer((socket) => {
      this.#serve(socket);
    });
  }

  static async start(script: Script = honest()): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(script);
    await new Promise<void>((resolve) => {
      daemon.#server.listen(daemon.path, resolve);
    });
    return daemon;
  }

  become(script: Script): void {
    this.#script = script;
  }

  /** Sends bytes as they are to everybody. */
  sendRaw(bytes: Uint8Array): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  /** Breaks every connection off. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const decoder = new FrameDecoder();
    socket.on('data', (chunk) => {
      for (const body of decoder.push(chunk)) {
        const message = decode(body.slice());
        this.received.push(message);
        for (const answer of this.#script(message, this)) socket.write(encodeFrame(encode(answer)));
      }
    });
  }
}
