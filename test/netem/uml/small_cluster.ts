/** Does I/O: the cluster that runs inside User-Mode Linux: its settings, and the files that the host makes for it. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterConfig } from '../../../cli/cluster_config.ts';
import { formatImage } from '../../../fileserver/disk/image_file.ts';
import type { NodeId } from '../../../protocol/ids.ts';
import { createKeyFile } from '../../../rudp/key_file.ts';
import { CACHERS } from './records.ts';

const FIRST_PORT = 7001;
const FILES_SHARED = 3;
/** Each a write of a file and a read of another one. */
const ROUNDS = 25;

/** Leases far beyond four round trips of a profile, since a daemon in this kernel may be late by a second. */
export const CONFIG: ClusterConfig = {
  host: '0.0.0.0', // each node has an address of its own
  serverPort: 7000,
  serverPages: 128,
  openPolicy: 'share',
  heartbeatMs: 500,
  leaseMs: 5000,
  marginMs: 500,
  lostAfterMs: 60_000,
  scrubMs: 3_600_000,
  degradedPolicy: 'write-through',
  serverWaitMs: 20_000,
  writebackIntervalMs: 30_000,
  logLevel: 'info',
  geometry: { files: 16, blockSizeBytes: 128, blocksPerFile: 8 },
  fill: '.',
  nodes: CACHERS.map((name, index) => ({
    name: name as NodeId,
    port: FIRST_PORT + index,
    pages: 32,
  })),
};

export const DISK = 'disk.img';
export const KEY = 'cluster.key';
export const setOf = (node: string): string => `${node}.set`;

/** All nodes write and read the same few files, a node never the same one twice in a row. */
const requestSet = (node: string): string =>
  Array.from({ length: ROUNDS }, (_, round) => {
    const written = 1 + (round % FILES_SHARED);
    const read = 1 + ((round + 1) % FILES_SHARED);
    return (
      `open ${written} 1\nwrite ${written} ${node}-${round}\nclose ${written}\n` +
      `open ${read} 0\nread ${read} 8\nclose ${read}\n`
    );
  }).join('');

/** Puts disk, key and request sets into the folder. */
export const prepareCluster = async (folder: string): Promise<void> => {
  await formatImage(join(folder, DISK), CONFIG.geometry, { fill: '.' });
  createKeyFile(join(folder, KEY));
  for (const node of CACHERS) writeFileSync(join(folder, setOf(node)), requestSet(node));
};
