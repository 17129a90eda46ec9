/** Does I/O: UDP ports that nobody uses at this moment. */

import { DgramAsPromised } from 'dgram-as-promised';

/** `count` different free ports of `host`; they are held together, then all given free again. */
export const freePorts = async (host: string, count: number): Promise<number[]> => {
  const sockets = Array.from({ length: count }, () => DgramAsPromised.createSocket('udp4'));
  try {
    const ports: number[] = [];
    for (const socket of sockets) ports.push((await socket.bind(0, host)).port);
    return ports;
  } finally {
    await Promise.allSettled(sockets.map((socket) => socket.close()));
  }
};

/** True if a socket can be bound to the port now. */
export const isFreePort = async (host: string, port: number): Promise<boolean> => {
  const socket = DgramAsPromised.createSocket('udp4');
  try {
    await socket.bind(port, host);
    return true;
  } catch {
    return false;
  } finally {
    await Promise.allSettled([socket.close()]);
  }
};
