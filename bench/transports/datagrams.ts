/** I/O: a server and a client on UDP sockets, for peers that make their messages of datagrams. */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { SOCKET_BUFFER_BYTES } from '../../netem/transports/peer.ts';

type Send = (datagram: Buffer) => void;
type Receive = (datagram: Buffer) => void;

const newSocket = (): Socket =>
  createSocket({
    type: 'udp4',
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
  });

/** `onClient` is called with the first datagram of every address that it hears of. */
export const serveDatagrams = async (
  port: number,
  onClient: (send: Send, first: Buffer) => Receive,
): Promise<void> => {
  const socket = newSocket();
  const clients = new Map<string, Receive>();
  socket.on('message', (datagram, { address, port: from }) => {
    const name = `${address}:${from}`;
    let receive = clients.get(name);
    if (receive === undefined) {
      receive = onClient((bytes) => {
        socket.send(bytes, from, address);
      }, datagram);
      clients.set(name, receive);
    }
    receive(datagram);
  });
  socket.bind(port, '0.0.0.0');
  await once(socket, 'listening');
};

export const connectDatagrams = async (host: string, port: number): Promise<Socket> => {
  const socket = newSocket();
  socket.connect(port, host);
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
};
