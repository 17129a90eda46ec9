/** I/O: sends hellos of clients that do not exist, from many addresses of 127.0.0.0/8: `flood_process VARIANT`. */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createChecksumProtection,
  createNoiseProtection,
  createSecureRandom,
  Endpoint,
} from '../../rudp/index.ts';
import type { FloodJob } from '../../netem/transports/jobs.ts';
import { answerParent } from '../../netem/transports/measured_process.ts';

const SOCKETS = 100;
/** Where the client's id stands in a hello: another id, another client. */
const CLIENT_ID_AT = 1;

const [variant = ''] = process.argv.slice(2);
/** The floods' sender has no key of the cluster; the hello of one is as long as any other. */
const protection =
  variant === 'insecure'
    ? createChecksumProtection()
    : createNoiseProtection({ keys: [new Uint8Array(32).fill(1)] });

const helloTo = (address: string): Buffer => {
  const random = createSecureRandom();
  const stranger = new Endpoint({ name: 'stranger', incarnation: 1, protection, random });
  stranger.connect(address, 0);
  const hello = stranger.pollTransmit(0);
  if (hello === undefined) throw new Error('an endpoint that dials says nothing');
  return Buffer.from(hello.bytes);
};

let sockets: Promise<readonly Socket[]> | undefined;

const openSockets = (): Promise<readonly Socket[]> =>
  Promise.all(
    Array.from({ length: SOCKETS }, async (_, index) => {
      const socket = createSocket('udp4');
      socket.bind(0, `127.66.${Math.floor(index / 250)}.${1 + (index % 250)}`);
      await once(socket, 'listening');
      return socket;
    }),
  );

let clients = 0;

answerParent<FloodJob>(async ({ host, port, count, ms }) => {
  const senders = await (sockets ??= openSockets());
  const hello = helloTo(`${host}:${port}`);
  const begun = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.ceil(((performance.now() - begun) * count) / ms));
    for (; sent < due; sent += 1) {
      const bytes = Buffer.from(hello);
      bytes.writeUInt32BE(++clients, CLIENT_ID_AT + 4);
      senders[clients % SOCKETS]?.send(bytes, port, host);
    }
    await sleep(1);
  }
  return undefined;
});
