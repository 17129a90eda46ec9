/** A subnet that no route of a machine leads into. Pure. */

import { FsError } from '../protocol/errors.ts';

/** Private (RFC 1918); of 10.0.0.0/8 a part that few use. */
const RANGES = ['10.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16'];
const ADDRESS_BITS = 32;
const SUBNET_BITS = 24;
const BYTE = 256;
/** Those that are shorter stand for all there is: VPNs put two halves, of one bit, over the default route. */
const LEAST_BITS = 2;

interface Prefix {
  readonly address: number;
  readonly bits: number;
}

/** "10.0.0.0/8", or an address alone. @throws FsError EINVAL for anything else. */
const prefixOf = (text: string): Prefix => {
  const [address = '', bits = ADDRESS_BITS] = text.split('/');
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || [...bytes, Number(bits)].some((each) => !Number.isInteger(each))) {
    throw new FsError('EINVAL', `${JSON.stringify(text)} is no IPv4 prefix such as 10.0.0.0/8`);
  }
  return { address: bytes.reduce((sum, byte) => sum * BYTE + byte, 0), bits: Number(bits) };
};

/** Whether one of them contains the other, which has more bits, or is the same. */
const meet = (one: Prefix, other: Prefix): boolean => {
  const size = 2 ** (ADDRESS_BITS - Math.min(one.bits, other.bits));
  return Math.floor(one.address / size) === Math.floor(other.address / size);
};

/** All /24 of a range, from a place in it on and around. */
const subnetsOf = ({ address, bits }: Prefix, start: number): Prefix[] => {
  const count = 2 ** (SUBNET_BITS - bits);
  return Array.from({ length: count }, (_, index) => ({
    address: address + ((start + index) % count) * BYTE,
    bits: SUBNET_BITS,
  }));
};

/**
 * The first three bytes of a private /24, such as "10.77.3". `routes` are destinations as `ip route` tells them;
 * `start`, a whole number, is where the search begins. @throws FsError EIO if none is free.
 */
export const freeSubnet = (routes: readonly string[], start: number): string => {
  const taken = routes
    .filter((route) => route !== 'default')
    .map(prefixOf)
    .filter(({ bits }) => bits >= LEAST_BITS);
  for (const range of RANGES.map(prefixOf)) {
    const free = subnetsOf(range, start).find((each) => !taken.some((route) => meet(each, route)));
    if (free === undefined) continue;
    const bytes = [3, 2, 1].map((place) => Math.floor(free.address / BYTE ** place) % BYTE);
    return bytes.join('.');
  }
  throw new FsError(
    'EIO',
    `no subnet is free for the network of the cluster: routes of this machine lead into all of ${RANGES.join(', ')}`,
  );
};
