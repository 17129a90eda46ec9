/** I/O: the buffers of a UDP socket, set and checked: what finds one full is lost without a word. */

import type { Socket } from 'node:dgram';

/** What is asked for, each way: what comes or goes in tens of milliseconds at full speed. */
const WANTED_BYTES = 4 * 1024 * 1024;
/** Some kernels refuse what is too much, and are asked for half of it, down to this. */
const LEAST_BYTES = 64 * 1024;

export interface SocketBuffers {
  readonly receiveBytes: number;
  readonly sendBytes: number;
}

/** Linux counts its own records in, and so tells twice what it has granted. */
const granted = (told: number): number => (process.platform === 'linux' ? told / 2 : told);

const raise = (set: (bytes: number) => void): void => {
  for (let bytes = WANTED_BYTES; bytes >= LEAST_BYTES; bytes /= 2) {
    try {
      set(bytes);
      return;
    } catch {
      // Too much for this kernel; the check tells what came of it.
    }
  }
};

/** Asks for large buffers of a bound socket; answers what the kernel has granted. */
export const raiseBuffers = (socket: Socket): SocketBuffers => {
  raise((bytes) => {
    socket.setRecvBufferSize(bytes);
  });
  raise((bytes) => {
    socket.setSendBufferSize(bytes);
  });
  return {
    receiveBytes: granted(socket.getRecvBufferSize()),
    sendBytes: granted(socket.getSendBufferSize()),
  };
};

/** What to say of buffers that are smaller than asked for; undefined if they are not. */
export const adviceOn = ({ receiveBytes, sendBytes }: SocketBuffers): string | undefined => {
  const small: string[] = [];
  const check = (bytes: number, what: string, setting: string): void => {
    if (bytes < WANTED_BYTES) small.push(`${what} ${bytes} (sysctl -w ${setting}=${WANTED_BYTES})`);
  };
  check(receiveBytes, 'receive', 'net.core.rmem_max');
  check(sendBytes, 'send', 'net.core.wmem_max');
  if (small.length === 0) return undefined;
  return `the kernel grants socket buffers of less than ${WANTED_BYTES} bytes, so that datagrams are lost under load: ${small.join(', ')}`;
};
