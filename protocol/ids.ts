/** The identifiers and counters that everything in coopfs is named by (docs/coherence.md, "Numbers"). */

type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** The number of a file on the volume, 0 … files − 1. */
export type FileNumber = Brand<number, 'FileNumber'>;

/** The name of a member of the cluster, 1 to 32 of `A-Z a-z 0-9 . _ -`: "n1", "server". */
export type NodeId = Brand<string, 'NodeId'>;

/** One connection of an application to a daemon; unique for the life of the volume. */
export type ClientId = Brand<number, 'ClientId'>;

/** The name under which every cacher and direct client knows the file server. */
export const SERVER = 'server' as NodeId;

const NODE_NAME = /^[A-Za-z0-9._-]{1,32}$/;

/** True if `name` can name a node. */
export const isNodeName = (name: string): name is NodeId => NODE_NAME.test(name);

/**
 * The version of a file's contents. `term` rises whenever the owner or the backup changes, `counter`
 * with every write in a term; versions are compared as a pair.
 */
export interface Version {
  readonly term: number;
  readonly counter: number;
}

export const FIRST_VERSION: Version = { term: 0, counter: 0 };

/** Negative, zero or positive as `a` is older than, the same as or newer than `b`. */
export const compareVersions = (a: Version, b: Version): number =>
  a.term - b.term || a.counter - b.counter;

/** The terms that one life of the file server may announce for a file; the next life has the range after it. */
export const TERMS_PER_EPOCH = 2 ** 32;

/** `3`, or `2:3` for the third of the second life of the server. */
export const formatTerm = (term: number): string => {
  const epoch = Math.floor(term / TERMS_PER_EPOCH) + 1;
  return epoch === 1 ? `${term}` : `${epoch}:${term % TERMS_PER_EPOCH}`;
};

export const formatVersion = (version: Version): string =>
  `${formatTerm(version.term)}.${version.counter}`;

/**
 * The number of one directory transaction: the cluster epoch rises at every start of the file
 * server, the sequence with every transaction in it; orders are compared as a pair.
 */
export interface Order {
  readonly epoch: number;
  readonly sequence: number;
}

/** Negative, zero or positive as `a` came before, is the same as or came after `b`. */
export const compareOrders = (a: Order, b: Order): number =>
  a.epoch - b.epoch || a.sequence - b.sequence;

/** What came of a write, kept with the file so that a retry is not applied twice (rule 4). */
export interface Outcome {
  readonly client: ClientId;
  readonly operation: number;
  readonly count: number;
}

/** How many outcomes travel with a file; the oldest is forgotten first. */
export const OUTCOMES_KEPT = 8;

/** The size of a volume: every file has the same number of blocks, fixed when it is formatted. */
export interface Geometry {
  readonly files: number;
  readonly blockSizeBytes: number;
  readonly blocksPerFile: number;
}

export const fileSizeBytes = (geometry: Geometry): number =>
  geometry.blockSizeBytes * geometry.blocksPerFile;

/** Where the bytes of a read came from. */
export type Source = 'local' | 'peer' | 'server' | 'disk';

/** What a second node that opens a file for writing meets (design, section 3). */
export type OpenPolicy = 'share' | 'wait' | 'fail';
