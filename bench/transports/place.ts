/** I/O: where a server and a client of one measurement run: the loopback interface, or both ends of a link. */

import { availableParallelism } from 'node:os';
import { IpLink, linkUnavailable, tcpCongestionControls } from '../../netem/link/ip_link.ts';
import type { Peer } from './catalogue.ts';
import type { LinkProfile } from './links.ts';
import type { ProcessPlace } from '../../netem/transports/measured_process.ts';
import type { Pin } from './options.ts';

export interface Place {
  /** Where clients find servers. */
  readonly host: string;
  readonly server: ProcessPlace;
  readonly client: ProcessPlace;
  /** Of an IP link; undefined for lo and veth. */
  readonly link: IpLink | undefined;
  close(): Promise<void>;
}

/** Why a link cannot be had here; undefined if it can. */
export const placeUnavailable = ({ kind }: LinkProfile): string | undefined =>
  kind === 'lo' ? undefined : linkUnavailable();

/** Why a peer cannot be measured on a link; undefined if it can. */
export const peerUnavailable = (peer: Peer, profile: LinkProfile): string | undefined => {
  const { tcpCongestion, datagramsOnly } = peer;
  if (datagramsOnly === true && profile.kind === 'ip') return 'it repeats nothing that is lost';
  if (tcpCongestion === undefined) return undefined;
  if (profile.kind === 'lo') {
    return peer.variant === '' ? undefined : 'lo uses the congestion control of the machine';
  }
  return tcpCongestionControls().includes(tcpCongestion) || peer.variant === ''
    ? undefined
    : `this kernel has no ${tcpCongestion}`;
};

const cpusOf = (pin: Pin): { server?: number; client?: number } => {
  const last = availableParallelism() - 1;
  if (pin === 'none') return {};
  return pin === 'same' ? { server: last, client: last } : { server: last, client: 0 };
};

export const openPlace = async (
  profile: LinkProfile,
  peer: Peer,
  pin: Pin,
  seed: number,
): Promise<Place> => {
  const cpus = cpusOf(profile.pin ?? pin);
  if (profile.kind === 'lo') {
    return {
      host: '127.0.0.1',
      server: { enter: [], cpu: cpus.server },
      client: { enter: [], cpu: cpus.client },
      link: undefined,
      close: () => Promise.resolve(),
    };
  }
  const link = await IpLink.open({ ...profile.settings, seed });
  try {
    const wanted = peer.tcpCongestion ?? 'cubic';
    if (tcpCongestionControls().includes(wanted)) await link.setTcpCongestion(wanted);
    return {
      host: profile.kind === 'veth' ? (await link.addVeth()).b : link.b.address,
      server: { enter: link.b.enter, cpu: cpus.server },
      client: { enter: link.a.enter, cpu: cpus.client },
      link: profile.kind === 'veth' ? undefined : link,
      close: () => link.close(),
    };
  } catch (error) {
    await link.close();
    throw error;
  }
};
