/** I/O: loads the module of a peer. */

import { extname } from 'node:path';
import type { PeerModule } from './peer.ts';

let instances = 0;

/** The module of a transport that comes with coopfs. */
export const peerUrl = (name: 'rudp' | 'tcp'): string =>
  new URL(`./peers/${name}${extname(import.meta.url)}`, import.meta.url).href;

export const loadPeer = async (url: string): Promise<PeerModule> =>
  (await import(url)) as PeerModule;

/** An instance that shares no socket and no memory of the network with any other. */
export const loadFreshPeer = async (url: string): Promise<PeerModule> =>
  (await import(`${url}?instance=${++instances}`)) as PeerModule;
