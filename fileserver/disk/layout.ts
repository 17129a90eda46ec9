/**
 * Where everything lies in a volume's image (design, section 6). Two superblock copies come first;
 * everything else is a region of the table they carry, so that regions can be added later.
 */

import { FsError } from '../../protocol/errors.ts';
import type { Geometry } from '../../protocol/ids.ts';
import { fileSizeBytes } from '../../protocol/ids.ts';
import { isUint53 } from './uint53.ts';

/** Regions, superblock copies and journal groups begin on this boundary: no two share a disk sector. */
export const SECTOR_BYTES = 4_096;
export const SUPERBLOCK_COPIES = 2;
export const SUPERBLOCK_BYTES = 4_096;

export const FILES_MAX = 2 ** 24;
export const BLOCK_BYTES_MAX = 128 * 1_024;
export const BLOCKS_PER_FILE_MAX = 65_536;
/** A file travels whole between nodes and whole into the journal. */
export const FILE_BYTES_MAX = 16 * 1_024 * 1_024;

/** Fixed fields and eight outcomes take 184 bytes; the rest is room for later fields. */
export const ALLOCATION_ENTRY_BYTES = 256;
export const NODES_MAX = 1_024;
export const NODE_ENTRY_BYTES = 64;
/** Checksum, reserved, sequence of the record that wrote the block. */
export const CHECKSUM_ENTRY_BYTES = 16;

export const JOURNAL_BYTES_DEFAULT = 4 * 1_024 * 1_024;
export const JOURNAL_BYTES_MAX = 256 * 1_024 * 1_024;
/** Room in a journal record for everything but a file's blocks and their checksums. */
const RECORD_EXTRA_BYTES = SECTOR_BYTES;

const CATALOG_BYTES_MIN = 64 * 1_024;
const CATALOG_BYTES_PER_FILE = 128;

/** The kinds of regions, as numbered in the superblock's table. */
const REGION_KINDS = {
  allocation: 1,
  nodes: 2,
  freeMap: 3,
  checksums: 4,
  journal: 5,
  catalog: 6,
  data: 7,
} as const;

export type RegionName = keyof typeof REGION_KINDS;

const REGION_NAMES = Object.keys(REGION_KINDS) as RegionName[];

/** A stretch of the image: `offset` and `length` in bytes, both multiples of a sector. */
export interface Region {
  readonly kind: number;
  readonly offset: number;
  readonly length: number;
}

export interface Layout {
  readonly geometry: Geometry;
  readonly regions: Readonly<Record<RegionName, Region>>;
  /** All data blocks of the volume. */
  readonly blocks: number;
  readonly imageSizeBytes: number;
}

export const roundUp = (value: number, multiple: number): number =>
  Math.ceil(value / multiple) * multiple;

/** The bytes of a bitmap page that hold bits; the last four hold the page's checksum. */
export const FREE_MAP_PAGE_BITS = (SECTOR_BYTES - 4) * 8;

const checkRange = (value: number, name: string, max: number): void => {
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new FsError('EINVAL', `${name} is ${value}; it must be a whole number from 1 to ${max}`);
  }
};

/** Throws FsError EINVAL if no volume can have this geometry, saying which number is wrong. */
export const checkGeometry = (geometry: Geometry): void => {
  checkRange(geometry.files, 'the number of files', FILES_MAX);
  checkRange(geometry.blockSizeBytes, 'the block size in bytes', BLOCK_BYTES_MAX);
  checkRange(geometry.blocksPerFile, 'the number of blocks per file', BLOCKS_PER_FILE_MAX);
  checkRange(fileSizeBytes(geometry), 'the size of a file in bytes', FILE_BYTES_MAX);
};

/** An upper bound of the journal bytes that one write-back of a whole file takes. */
const contentsRecordBytes = (geometry: Geometry): number =>
  roundUp(
    RECORD_EXTRA_BYTES + geometry.blocksPerFile * CHECKSUM_ENTRY_BYTES + fileSizeBytes(geometry),
    SECTOR_BYTES,
  );

/** The smallest journal that a volume works with: two write-backs of a file. */
export const journalBytesMin = (geometry: Geometry): number => 2 * contentsRecordBytes(geometry);

const journalBytesFor = (geometry: Geometry, wanted: number | undefined): number => {
  const min = journalBytesMin(geometry);
  if (wanted === undefined) return Math.max(JOURNAL_BYTES_DEFAULT, 2 * min);
  if (wanted % SECTOR_BYTES !== 0 || wanted < min || wanted > JOURNAL_BYTES_MAX) {
    throw new FsError(
      'EINVAL',
      `the journal's size is ${wanted}; it must be a multiple of ${SECTOR_BYTES} from ${min} to ${JOURNAL_BYTES_MAX}`,
    );
  }
  return wanted;
};

/** How many bytes each region needs at least (the journal: at its smallest). */
const neededBytes = (geometry: Geometry): Record<RegionName, number> => {
  const blocks = geometry.files * geometry.blocksPerFile;
  return {
    allocation: geometry.files * ALLOCATION_ENTRY_BYTES,
    nodes: NODES_MAX * NODE_ENTRY_BYTES,
    freeMap: Math.ceil(blocks / FREE_MAP_PAGE_BITS) * SECTOR_BYTES,
    checksums: blocks * CHECKSUM_ENTRY_BYTES,
    journal: journalBytesMin(geometry),
    catalog: CATALOG_BYTES_MIN + geometry.files * CATALOG_BYTES_PER_FILE,
    data: blocks * geometry.blockSizeBytes,
  };
};

/**
 * The layout of a new volume. `journalBytes` is the size of the journal, a multiple of a sector
 * (default: 4 MiB, or more where files are large). Throws FsError EINVAL on numbers out of range.
 */
export const computeLayout = (geometry: Geometry, journalBytes?: number): Layout => {
  checkGeometry(geometry);
  const lengths = neededBytes(geometry);
  lengths.journal = journalBytesFor(geometry, journalBytes);
  const regions = {} as Record<RegionName, Region>;
  let offset = SUPERBLOCK_COPIES * SUPERBLOCK_BYTES;
  for (const name of REGION_NAMES) {
    const length = roundUp(lengths[name], SECTOR_BYTES);
    regions[name] = { kind: REGION_KINDS[name], offset, length };
    offset += length;
  }
  const blocks = geometry.files * geometry.blocksPerFile;
  return { geometry, regions, blocks, imageSizeBytes: offset };
};

/** Why a superblock's region table cannot be used, or undefined. */
const problemOfRegions = (regions: readonly Region[]): string | undefined => {
  let end = SUPERBLOCK_COPIES * SUPERBLOCK_BYTES;
  for (const region of [...regions].sort((a, b) => a.offset - b.offset)) {
    const aligned = region.offset % SECTOR_BYTES === 0 && region.length % SECTOR_BYTES === 0;
    if (!isUint53(region.offset) || !isUint53(region.length) || !aligned) {
      return `region ${region.kind} at ${region.offset} is not made of whole sectors`;
    }
    if (region.offset < end) return `region ${region.kind} overlaps what comes before it`;
    end = region.offset + region.length;
  }
  return isUint53(end) ? undefined : 'the regions end beyond 2^53 bytes';
};

/** The layout that a superblock's region table describes, or a sentence saying what is wrong with it. */
export const layoutOf = (geometry: Geometry, table: readonly Region[]): Layout | string => {
  try {
    checkGeometry(geometry);
  } catch (error) {
    if (error instanceof FsError) return error.message;
    throw error;
  }
  const problem = problemOfRegions(table);
  if (problem !== undefined) return problem;
  const needed = neededBytes(geometry);
  const regions = {} as Record<RegionName, Region>;
  for (const name of REGION_NAMES) {
    const found = table.filter((region) => region.kind === REGION_KINDS[name]);
    const [region] = found;
    if (region === undefined || found.length > 1) {
      return `there are ${found.length} regions of kind ${REGION_KINDS[name]} (${name}); there must be one`;
    }
    if (region.length < needed[name]) {
      return `the region ${name} has ${region.length} bytes; it needs ${needed[name]}`;
    }
    regions[name] = region;
  }
  return {
    geometry,
    regions,
    blocks: geometry.files * geometry.blocksPerFile,
    imageSizeBytes: Math.max(...table.map((region) => region.offset + region.length)),
  };
};
