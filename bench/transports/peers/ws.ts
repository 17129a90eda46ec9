/** I/O: WebSocket (ws), a binary frame a message, without compression. */

import { once, type EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Exchange } from '../../../netem/transports/exchange.ts';
import { loadPackage } from '../installed_peers.ts';
import type { OnRequest, PeerConnection } from '../../../netem/transports/peer.ts';

interface Socket extends EventEmitter {
  readonly bufferedAmount: number;
  send(message: Buffer): void;
  terminate(): void;
}

const { WebSocket, WebSocketServer } = loadPackage('ws') as {
  WebSocket: new (url: string, options: object) => Socket;
  WebSocketServer: new (options: object) => EventEmitter;
};

/** A sender waits while more than that is not with the kernel yet. */
const BUFFERED_BYTES = 1024 * 1024;

const exchangeOn = (socket: Socket, onRequest?: OnRequest): Exchange => {
  const untilSent = async (): Promise<void> => {
    while (socket.bufferedAmount > BUFFERED_BYTES / 2) await nextTurn();
  };
  const exchange = new Exchange((head, body) => {
    socket.send(Buffer.concat([head, body]));
    return socket.bufferedAmount > BUFFERED_BYTES ? untilSent() : undefined;
  }, onRequest);
  socket.on('message', (message: Buffer) => {
    exchange.receive(message);
  });
  socket.on('error', () => undefined);
  return exchange;
};

export const listen = async (port: number, onRequest: OnRequest): Promise<void> => {
  const server = new WebSocketServer({ port, host: '0.0.0.0', perMessageDeflate: false });
  server.on('connection', (socket: Socket) => {
    exchangeOn(socket, onRequest);
  });
  await once(server, 'listening');
};

export const connect = async (host: string, port: number): Promise<PeerConnection> => {
  const socket = new WebSocket(`ws://${host}:${port}`, { perMessageDeflate: false });
  await once(socket, 'open');
  const exchange = exchangeOn(socket);
  return {
    request: (body) => exchange.request(body),
    send: (body) => exchange.send(body),
    close: () => {
      socket.terminate();
    },
  };
};
