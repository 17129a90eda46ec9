/** I/O: the link straight to the file server, messages over rudp; nothing is cached on its way. */

import { FsError } from '../protocol/errors.ts';
import type { Dial } from './link.ts';

const LAST_PORT = 65_535;

/** The parts of "host:port" or "[v6]:port". Throws FsError EINVAL. */
export const parseAddress = (address: string): { host: string; port: number } => {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/u.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > LAST_PORT) {
    throw new FsError('EINVAL', `the server is ${JSON.stringify(address)}, must be host:port`);
  }
  return { host, port };
};

/** Dials the file server. Throws FsError EINVAL for what is no address. */
export const fileServer = (address: string): Dial => {
  const { host, port } = parseAddress(address);
  return () => Promise.reject(new FsError('ECONNLOST', `no link to ${host} port ${port} yet`));
};
