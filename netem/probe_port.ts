/** I/O: the UDP port by which agents of the engine `tc` probe. Whoever has it is the one agent of its network namespace. */

import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as pause } from 'node:timers/promises';
import { FsError, messageOf } from '../protocol/errors.ts';

/** Rudp's own ports are taken. */
export const PROBE_PORT = 7990;
const PROBE_BUFFER_BYTES = 1024 * 1024;
const POLL_MS = 20;

const bound = (socket: Socket, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, () => {
      socket.off('error', reject);
      resolve();
    });
  });

/**
 * Takes the port; for as long as `patienceMs` it waits for another agent, which may be about to end and
 * takes its rules away until then. @throws FsError EBUSY for a port that stays taken.
 */
export const takeProbePort = async (port: number, patienceMs: number): Promise<Socket> => {
  for (const begunMs = performance.now(); ;) {
    const socket = createSocket({ type: 'udp4', recvBufferSize: PROBE_BUFFER_BYTES });
    try {
      await bound(socket, port);
      socket.on('error', () => undefined);
      return socket;
    } catch (error) {
      socket.close();
      if (performance.now() >= begunMs + patienceMs) {
        const why = messageOf(error);
        throw new FsError('EBUSY', `no probes can be taken at UDP port ${port}: ${why}`);
      }
    }
    await pause(POLL_MS);
  }
};
