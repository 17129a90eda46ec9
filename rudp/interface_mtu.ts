/** I/O: the longest datagram that leaves this machine towards an address in one piece. */

// Node does not tell the MTU of an interface; Linux does, in files. Elsewhere it is taken for an
// Ethernet's.

import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { ETHERNET_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES, MIN_DATAGRAM_BYTES } from './limits.ts';

const ROUTES_FILE = '/proc/net/route';
const mtuFileOf = (name: string): string => `/sys/class/net/${name}/mtu`;
/** Headers of IPv4 and UDP. */
const HEADER_BYTES = 28;
/** Routes with this flag are up (RTF_UP). */
const UP_FLAG = 1;

interface Route {
  readonly name: string;
  readonly destination: number;
  readonly mask: number;
  readonly metric: number;
  /** 0 if the route has none of its own. */
  readonly mtu: number;
}

/** "10.0.0.1" as a number in network byte order; undefined if it is no IPv4 address. */
const numberOf = (host: string): number | undefined => {
  const parts = host.split('.').map(Number);
  const isAddress = parts.length === 4 && parts.every((part) => part >= 0 && part <= 255);
  return isAddress ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
};

/** The file has addresses as the bytes lie in the memory of a little-endian machine. */
const swapped = (hex: string): number =>
  Number.parseInt(hex.match(/../g)?.reverse().join('') ?? '', 16);

/** The lines of /proc/net/route after its heading. */
export const parseRoutes = (text: string): Route[] =>
  text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 9 && (Number.parseInt(fields[3] ?? '', 16) & UP_FLAG) > 0)
    .map(([name = '', destination = '', , , , , metric, mask = '', mtu]) => ({
      name,
      destination: swapped(destination),
      mask: swapped(mask),
      metric: Number(metric),
      mtu: Number(mtu),
    }));

/** The route the kernel takes: the longest prefix, of several the least metric. */
export const routeTo = (routes: readonly Route[], host: string): Route | undefined => {
  const address = numberOf(host);
  if (address === undefined) return undefined;
  return routes
    .filter(({ destination, mask }) => (address & mask) >>> 0 === destination)
    .sort((a, b) => b.mask - a.mask || a.metric - b.metric)[0];
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not Linux, or a sandbox without these files.
    return undefined;
  }
};

const isOwnAddress = (host: string): boolean =>
  host.startsWith('127.') ||
  Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === host));

/** For the option `interfaceDatagramBytes`; `address` is "10.0.0.1:4000". */
export const interfaceDatagramBytes = (address: string): number => {
  const host = address.slice(0, address.lastIndexOf(':'));
  if (isOwnAddress(host)) return MAX_DATAGRAM_BYTES;
  const route = routeTo(parseRoutes(read(ROUTES_FILE) ?? ''), host);
  if (route === undefined) return ETHERNET_DATAGRAM_BYTES;
  const mtu = route.mtu > 0 ? route.mtu : Number(read(mtuFileOf(route.name)));
  if (!(mtu > 0)) return ETHERNET_DATAGRAM_BYTES;
  return Math.min(Math.max(mtu - HEADER_BYTES, MIN_DATAGRAM_BYTES), MAX_DATAGRAM_BYTES - 1);
};
