/** I/O: TCP as Node has it. */

import { once } from 'node:events';
import { createServer, connect as connectSocket } from 'node:net';
import type { OnRequest, PeerConnection } from '../peer.ts';
import { streamConnection } from '../stream_messages.ts';

export const listen = async (port: number, onRequest: OnRequest): Promise<void> => {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    streamConnection(socket, onRequest);
  });
  server.listen(port, '0.0.0.0');
  await once(server, 'listening');
};

export const connect = async (host: string, port: number): Promise<PeerConnection> => {
  const socket = connectSocket({ host, port, noDelay: true });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return streamConnection(socket);
};
