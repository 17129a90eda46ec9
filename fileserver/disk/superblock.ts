/** The superblock: what a volume is, where its regions lie, and from where its journal is replayed. */

import { assert } from '../../protocol/assert.ts';
import { crc32c } from '../../protocol/crc32c.ts';
import type { Geometry } from '../../protocol/ids.ts';
import { isPrintable, type Fill } from './fill.ts';
import type { Region } from './layout.ts';
import { SUPERBLOCK_BYTES, SUPERBLOCK_COPIES } from './layout.ts';
import { getUint53, isDuration, isUint53, putUint53, viewOf } from './uint53.ts';

const FORMAT_VERSION = 2;
export const REGIONS_MAX = 64;

const MAGIC = 'coopfs\r\n';
const VOLUME_ID = /^[0-9a-f]{32}$/;

const AT = {
  magic: 0,
  formatVersion: 8,
  checksum: 12,
  sequence: 16,
  volumeId: 24,
  files: 40,
  blockSizeBytes: 44,
  blocksPerFile: 48,
  journalSalt: 52,
  clusterEpoch: 56,
  longestLeaseMs: 64,
  headPosition: 72,
  headSequence: 80,
  fill: 88,
  regionCount: 92,
  regions: 96,
} as const;
const REGION_BYTES = 24;

/**
 * A place in the journal between two groups. `position` counts all bytes ever journaled (its
 * remainder by the journal's length is the place in the ring), `sequence` is the next record's.
 */
export interface JournalPoint {
  readonly position: number;
  readonly sequence: number;
}

export interface Superblock {
  /** Rises with every superblock written; its parity says which of the two copies this is. */
  readonly sequence: number;
  /** 32 hexadecimal digits. */
  readonly volumeId: string;
  readonly geometry: Geometry;
  readonly fill: Fill;
  /** Tells this volume's journal records from everything that an application can write. */
  readonly journalSalt: number;
  readonly clusterEpoch: number;
  readonly longestLeaseMs: number;
  /** Everything before this point is in its home location, synced. */
  readonly head: JournalPoint;
  readonly regions: readonly Region[];
}

/** The offset in the image of the copy that a superblock of this sequence is written to. */
export const superblockOffset = (sequence: number): number =>
  (sequence % SUPERBLOCK_COPIES) * SUPERBLOCK_BYTES;

const checksumOf = (bytes: Uint8Array): number =>
  crc32c(bytes.subarray(AT.checksum + 4), crc32c(bytes.subarray(0, AT.checksum)));

export const encodeSuperblock = (superblock: Superblock): Uint8Array => {
  assert(VOLUME_ID.test(superblock.volumeId), 'a volume id has 32 hexadecimal digits');
  assert(superblock.regions.length <= REGIONS_MAX, `at most ${REGIONS_MAX} regions`);
  const bytes = new Uint8Array(SUPERBLOCK_BYTES);
  const view = viewOf(bytes);
  for (let at = 0; at < MAGIC.length; at++) bytes[AT.magic + at] = MAGIC.charCodeAt(at);
  view.setUint32(AT.formatVersion, FORMAT_VERSION, true);
  putUint53(view, AT.sequence, superblock.sequence);
  for (let at = 0; at < 16; at++) {
    bytes[AT.volumeId + at] = parseInt(superblock.volumeId.slice(at * 2, at * 2 + 2), 16);
  }
  view.setUint32(AT.files, superblock.geometry.files, true);
  view.setUint32(AT.blockSizeBytes, superblock.geometry.blockSizeBytes, true);
  view.setUint32(AT.blocksPerFile, superblock.geometry.blocksPerFile, true);
  view.setUint32(AT.journalSalt, superblock.journalSalt, true);
  putUint53(view, AT.clusterEpoch, superblock.clusterEpoch);
  view.setFloat64(AT.longestLeaseMs, superblock.longestLeaseMs, true);
  putUint53(view, AT.headPosition, superblock.head.position);
  putUint53(view, AT.headSequence, superblock.head.sequence);
  view.setUint32(AT.fill, superblock.fill?.charCodeAt(0) ?? 0, true);
  view.setUint32(AT.regionCount, superblock.regions.length, true);
  superblock.regions.forEach((region, index) => {
    const at = AT.regions + index * REGION_BYTES;
    view.setUint32(at, region.kind, true);
    putUint53(view, at + 8, region.offset);
    putUint53(view, at + 16, region.length);
  });
  view.setUint32(AT.checksum, checksumOf(bytes), true);
  return bytes;
};

/** The superblock in these bytes, or a sentence saying why there is none. */
export const decodeSuperblock = (bytes: Uint8Array): Superblock | string => {
  if (bytes.length < SUPERBLOCK_BYTES) return 'the image ends before it';
  const view = viewOf(bytes);
  for (let at = 0; at < MAGIC.length; at++) {
    if (bytes[at] !== MAGIC.charCodeAt(at)) return 'it does not begin as a coopfs volume does';
  }
  const version = view.getUint32(AT.formatVersion, true);
  if (version !== FORMAT_VERSION) {
    return `its format version is ${version}; this program reads version ${FORMAT_VERSION}`;
  }
  if (view.getUint32(AT.checksum, true) !== checksumOf(bytes)) return 'its checksum is wrong';
  const regionCount = view.getUint32(AT.regionCount, true);
  if (regionCount > REGIONS_MAX) return `it lists ${regionCount} regions`;
  const regions: Region[] = [];
  for (let index = 0; index < regionCount; index++) {
    const at = AT.regions + index * REGION_BYTES;
    const kind = view.getUint32(at, true);
    regions.push({ kind, offset: getUint53(view, at + 8), length: getUint53(view, at + 16) });
  }
  const fill = view.getUint32(AT.fill, true);
  const superblock: Superblock = {
    sequence: getUint53(view, AT.sequence),
    volumeId: Array.from(bytes.subarray(AT.volumeId, AT.volumeId + 16), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join(''),
    geometry: {
      files: view.getUint32(AT.files, true),
      blockSizeBytes: view.getUint32(AT.blockSizeBytes, true),
      blocksPerFile: view.getUint32(AT.blocksPerFile, true),
    },
    fill: fill === 0 ? undefined : String.fromCharCode(fill),
    journalSalt: view.getUint32(AT.journalSalt, true),
    clusterEpoch: getUint53(view, AT.clusterEpoch),
    longestLeaseMs: view.getFloat64(AT.longestLeaseMs, true),
    head: {
      position: getUint53(view, AT.headPosition),
      sequence: getUint53(view, AT.headSequence),
    },
    regions,
  };
  const { sequence, clusterEpoch, head } = superblock;
  const numbers = [sequence, clusterEpoch, head.position, head.sequence];
  for (const { offset, length } of regions) numbers.push(offset, length);
  if (!numbers.every(isUint53)) {
    return 'one of its numbers is 2^53 or more';
  }
  if (fill !== 0 && !isPrintable(fill)) return `its fill is the character ${fill}`;
  if (!isDuration(superblock.longestLeaseMs)) return 'its longest lease is no time';
  return superblock;
};

/**
 * The newer of the two copies that the image's first bytes hold, or a sentence with what is wrong
 * with each. One good copy is enough: the journal is kept from the older one's head on.
 */
export const newestSuperblock = (image: Uint8Array): Superblock | string => {
  const copies = [0, 1].map((copy) =>
    decodeSuperblock(image.subarray(copy * SUPERBLOCK_BYTES, (copy + 1) * SUPERBLOCK_BYTES)),
  );
  const [first, second] = copies.filter((copy) => typeof copy !== 'string');
  if (first === undefined) {
    const problems = copies.filter((copy) => typeof copy === 'string');
    return problems.map((problem, copy) => `superblock copy ${copy}: ${problem}`).join('; ');
  }
  return second !== undefined && second.sequence > first.sequence ? second : first;
};
