/** I/O: udx-native, reliable streams over UDP in C. It has no handshake: stream numbers are agreed on beforehand. */

import type { Duplex } from 'node:stream';
import { loadPackage } from '../installed_peers.ts';
import {
  SOCKET_BUFFER_BYTES,
  type OnRequest,
  type PeerConnection,
} from '../../../netem/transports/peer.ts';
import { streamConnection } from '../../../netem/transports/stream_messages.ts';

interface UdxSocket {
  bind(port: number, host: string): void;
  setRecvBufferSize(bytes: number): void;
  setSendBufferSize(bytes: number): void;
}
interface UdxStream extends Duplex {
  connect(socket: UdxSocket, id: number, port: number, host: string): void;
}
interface Udx {
  createSocket(): UdxSocket;
  createStream(
    id: number,
    options?: { firewall: (socket: UdxSocket, port: number, host: string) => boolean },
  ): UdxStream;
}

const UDX = loadPackage('udx-native') as new () => Udx;

/** Stream n of a server talks with stream n + STREAMS of a client. */
const STREAMS = 1024;

const open = (port: number): { udx: Udx; socket: UdxSocket } => {
  const udx = new UDX();
  const socket = udx.createSocket();
  socket.bind(port, '0.0.0.0');
  socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
  socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  return { udx, socket };
};

export const listen = (port: number, onRequest: OnRequest): Promise<void> => {
  const { udx } = open(port);
  for (let number = 1; number <= STREAMS; number += 1) {
    const stream: UdxStream = udx.createStream(number, {
      // The first datagram shows where the client is.
      firewall: (socket, from, host) => {
        stream.connect(socket, number + STREAMS, from, host);
        return false;
      },
    });
    stream.on('error', () => undefined);
    streamConnection(stream, onRequest);
  }
  return Promise.resolve();
};

let opened = 0;

export const connect = (host: string, port: number): Promise<PeerConnection> => {
  const { udx, socket } = open(0);
  const number = ++opened;
  const stream = udx.createStream(number + STREAMS);
  stream.on('error', () => undefined);
  stream.connect(socket, number, port, host);
  return Promise.resolve(streamConnection(stream));
};
