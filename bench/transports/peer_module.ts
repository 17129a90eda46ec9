/** I/O: loads the module of a peer. */

import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PeerModule } from './peer.ts';

let instances = 0;

const urlOf = (name: string): string => {
  if (name === 'rudp') return pathToFileURL(resolve('bench/rudp_peer.mjs')).href;
  if (extname(name) !== '') return pathToFileURL(resolve(name)).href;
  return new URL(`./peers/${name}${extname(import.meta.url)}`, import.meta.url).href;
};

export const loadPeer = async (name: string): Promise<PeerModule> =>
  (await import(urlOf(name))) as PeerModule;

/** An instance that shares no socket and no memory of the network with any other. */
export const loadFreshPeer = async (name: string): Promise<PeerModule> =>
  (await import(`${urlOf(name)}?instance=${++instances}`)) as PeerModule;
