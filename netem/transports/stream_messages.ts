/** I/O: messages on a stream of bytes, each with its length before it, as every protocol on TCP has to have it. */

import type { Duplex } from 'node:stream';
import { Exchange } from './exchange.ts';
import type { OnRequest, PeerConnection } from './peer.ts';

const LENGTH_BYTES = 4;
/** Shorter messages are copied into one piece, longer ones are written in two. */
const COPIED_BYTES = 4096;

/** Cuts a stream into messages, which are copied only where a chunk ends in the middle of one. */
export const cutMessages = (onMessage: (message: Buffer) => void): ((chunk: Buffer) => void) => {
  let pieces: Buffer[] = [];
  let heldBytes = 0;
  /** Nothing is put together before so much is there. */
  let wantedBytes = LENGTH_BYTES;
  return (chunk) => {
    pieces.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < wantedBytes) return;
    const bytes = pieces.length === 1 ? chunk : Buffer.concat(pieces, heldBytes);
    let at = 0;
    wantedBytes = LENGTH_BYTES;
    while (bytes.length - at >= LENGTH_BYTES) {
      const whole = LENGTH_BYTES + bytes.readUInt32BE(at);
      if (bytes.length - at < whole) {
        wantedBytes = whole;
        break;
      }
      onMessage(bytes.subarray(at + LENGTH_BYTES, at + whole));
      at += whole;
    }
    heldBytes = bytes.length - at;
    pieces = heldBytes === 0 ? [] : [bytes.subarray(at)];
  };
};

/** Requests over a stream; `close` destroys it. */
export const streamConnection = (stream: Duplex, onRequest?: OnRequest): PeerConnection => {
  let drained: Promise<void> | undefined;
  const untilDrained = (): Promise<void> =>
    (drained ??= new Promise((resolve) => {
      stream.once('drain', () => {
        drained = undefined;
        resolve();
      });
    }));
  const exchange = new Exchange((head, body) => {
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt32BE(head.length + body.length);
    if (body.length <= COPIED_BYTES) {
      return stream.write(Buffer.concat([length, head, body])) ? undefined : untilDrained();
    }
    stream.cork();
    stream.write(length);
    stream.write(head);
    const more = stream.write(body);
    stream.uncork();
    return more ? undefined : untilDrained();
  }, onRequest);
  stream.on(
    'data',
    cutMessages((message) => {
      exchange.receive(message);
    }),
  );
  return {
    request: (body) => exchange.request(body),
    send: (body) => exchange.send(body),
    close: () => stream.destroy(),
  };
};
