/** Does I/O: an application that puts any bytes at all on the unix socket of a cacher. */

import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { decode, encode } from '../../protocol/codec.ts';
import { encodeFrame, FrameDecoder } from '../../protocol/framing.ts';
import { PROTOCOL_VERSION, type Message } from '../../protocol/messages.ts';

export class RawApplication {
  readonly socket: Socket;
  /** Resolves when the cacher has ended the connection, or we have. */
  readonly closed: Promise<unknown>;
  readonly #received: Message[] = [];
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    const decoder = new FrameDecoder();
    socket.on('data', (chunk) => {
      for (const body of decoder.push(chunk)) this.#received.push(decode(body.slice()));
      this.#wake?.();
    });
  }

  static async connect(path: string): Promise<RawApplication> {
    const socket = createConnection(path);
    await once(socket, 'connect');
    return new RawApplication(socket);
  }

  /** Connects and says hello. */
  static async greet(path: string): Promise<RawApplication> {
    const application = await RawApplication.connect(path);
    await application.ask({ type: 'hello', protocol: PROTOCOL_VERSION });
    return application;
  }

  send(message: Message): void {
    this.socket.write(encodeFrame(encode(message)));
  }

  /** The next message of the cacher. */
  async next(): Promise<Message> {
    for (;;) {
      const message = this.#received.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async ask(message: Message): Promise<Message> {
    this.send(message);
    return this.next();
  }

  async end(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }
}
