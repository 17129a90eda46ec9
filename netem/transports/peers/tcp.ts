/** I/O: TCP as Node has it; what it repeats is counted by the kernel, for all of a network namespace. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, connect as connectSocket } from 'node:net';
import type { OnRequest, PeerConnection, Repeats } from '../peer.ts';
import { streamConnection } from '../stream_messages.ts';

/** A counter of /proc/net/snmp or /proc/net/netstat: lines of names, each before one of figures. */
const counter = (file: string, group: string, name: string): number => {
  const lines = readFileSync(`/proc/net/${file}`, 'utf8').split('\n');
  const [names = [], figures = []] = lines
    .filter((line) => line.startsWith(`${group}: `))
    .map((line) => line.split(' '));
  return Number(figures[names.indexOf(name)] ?? Number.NaN);
};

/** The receiver tells by a duplicate acknowledgement (DSACK) of what had arrived already. */
const repeats = (): Repeats => ({
  sent: counter('snmp', 'Tcp', 'OutSegs') + counter('snmp', 'Tcp', 'RetransSegs'),
  repeated: counter('snmp', 'Tcp', 'RetransSegs'),
  spurious: counter('netstat', 'TcpExt', 'TCPDSACKRecv'),
});

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
  return { ...streamConnection(socket), repeats };
};
