/** I/O: where the file server is now, and by which address of this machine others reach this node. */

import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';

const IPV4 = 4;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** The server's address as "10.0.0.1:7000". Rejects if its name is not known. */
export const resolveServer = async ({ host, port }: HostPort): Promise<string> =>
  `${(await lookup(host, { family: IPV4 })).address}:${port}`;

/** The address that packets from here to the server have; undefined if no way leads there. */
export const sourceAddress = (server: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const [host = '', port] = server.split(':');
    const probe = createSocket('udp4');
    const settle = (address: string | undefined): void => {
      probe.close();
      resolve(address);
    };
    probe.once('error', () => {
      settle(undefined);
    });
    probe.once('connect', () => {
      settle(probe.address().address);
    });
    // Nothing is sent by that: the system only decides on the route.
    probe.connect(Number(port), host);
  });
