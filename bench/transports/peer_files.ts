/** I/O: where the modules of peers are. */

import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { peerUrl } from '../../netem/transports/peer_module.ts';

/** The module that is meant by a name of the catalogue, or by a path. */
export const moduleUrl = (name: string): string => {
  if (name === 'rudp' || name === 'tcp') return peerUrl(name);
  if (extname(name) !== '') return pathToFileURL(resolve(name)).href;
  return new URL(`./peers/${name}${extname(import.meta.url)}`, import.meta.url).href;
};
